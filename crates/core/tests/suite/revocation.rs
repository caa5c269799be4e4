//! What was revoked is refused, whatever else may be said for it.

use std::sync::Arc;

use ojwt_core::policy::revocation::{RevocationList, Revocations};
use ojwt_core::{Alg, Circumstances, Denial};

use crate::common::{NOW, key, refusal, verifier_for, with_signature};

fn list(text: &str) -> Arc<RevocationList> {
    Arc::new(RevocationList::parse(text.as_bytes()).unwrap())
}

fn signed(kid: Option<&str>, payload: &str) -> String {
    key(Alg::HS256).sign(Alg::HS256, kid, payload.as_bytes()).unwrap()
}

fn judge(token: &str, now: i64, leeway: u64, revocations: Revocations<'_>) -> Result<(), Denial> {
    let mut verifier = verifier_for(Alg::HS256);
    verifier.policy.leeway = leeway;
    let at = Circumstances { revocations, ..Circumstances::new(now, None) };
    verifier.verify(token.as_bytes(), &at).map(drop)
}

#[test]
fn each_list_names_values_of_its_own_kind() {
    let token = signed(Some("k"), r#"{"sub":"s","jti":"j"}"#);
    for (name, is_sub, is_kid, is_jti) in [
        ("s", true, false, false),
        ("k", false, true, false),
        ("j", false, false, true),
        ("x", false, false, false),
        ("S", false, false, false),
    ] {
        let some = &[list(name)];
        for (revocations, is_revoked) in [
            (Revocations { sub: some, ..Revocations::default() }, is_sub),
            (Revocations { kid: some, ..Revocations::default() }, is_kid),
            (Revocations { jti: some, ..Revocations::default() }, is_jti),
        ] {
            let expected = if is_revoked { Err(Denial::Revoked) } else { Ok(()) };
            assert_eq!(judge(&token, NOW, 0, revocations), expected, "{name} {revocations:?}");
        }
    }
}

#[test]
fn several_lists_of_one_kind_name_what_any_of_them_names() {
    let lists = [list("a\nshared\t1000"), list(""), list("b\nshared\t2000")];
    let revocations = Revocations { sub: &lists, ..Revocations::default() };
    for (sub, now, is_revoked) in [
        ("a", 1500, true),
        ("b", 1500, true),
        ("shared", 999, true),
        ("shared", 1999, true),
        ("shared", 2000, false),
        ("c", 1500, false),
    ] {
        let token = signed(None, &format!(r#"{{"sub":"{sub}"}}"#));
        let expected = if is_revoked { Err(Denial::Revoked) } else { Ok(()) };
        assert_eq!(judge(&token, now, 0, revocations), expected, "{sub} {now}");
    }
    assert_eq!(judge(&signed(None, "{}"), 1500, 0, revocations), Err(Denial::ClaimRejected));
}

#[test]
fn another_spelling_of_a_revoked_value_is_the_same_value() {
    let token = signed(None, r#"{"sub":"\u0061dmin"}"#);
    let lists = [list("admin")];
    let revocations = Revocations { sub: &lists, ..Revocations::default() };
    assert_eq!(judge(&token, NOW, 0, revocations), Err(Denial::Revoked));
}

#[test]
fn token_that_no_list_could_name_is_refused() {
    let some = &[Arc::new(RevocationList::default())];
    let bare = signed(None, "{}");
    let full = signed(Some("k"), r#"{"sub":"s","jti":"j"}"#);
    for revocations in [
        Revocations { sub: some, ..Revocations::default() },
        Revocations { kid: some, ..Revocations::default() },
        Revocations { jti: some, ..Revocations::default() },
    ] {
        assert_eq!(judge(&bare, NOW, 0, revocations), Err(Denial::ClaimRejected));
        assert_eq!(judge(&full, NOW, 0, revocations), Ok(()));
    }
}

#[test]
fn entry_that_ends_with_its_token_holds_for_the_leeway_too() {
    let token = signed(None, r#"{"jti":"j","exp":1000}"#);
    let lists = [list("j\t1000")];
    let revocations = Revocations { jti: &lists, ..Revocations::default() };
    for now in [999, 1000, 1059] {
        assert_eq!(judge(&token, now, 60, Revocations::default()), Ok(()), "{now}");
        assert_eq!(judge(&token, now, 60, revocations), Err(Denial::Revoked), "{now}");
    }
    assert_eq!(judge(&token, 1060, 60, revocations), Err(Denial::Expired));
    let lasting = signed(None, r#"{"jti":"j"}"#);
    assert_eq!(judge(&lasting, 1059, 60, revocations), Err(Denial::Revoked));
    assert_eq!(judge(&lasting, 1060, 60, revocations), Ok(()));
    assert_eq!(judge(&lasting, i64::MAX, u64::MAX, revocations), Err(Denial::Revoked));
}

#[test]
fn forged_token_does_not_learn_who_is_revoked() {
    let verifier = verifier_for(Alg::HS256);
    let forged = with_signature(&signed(None, r#"{"sub":"s"}"#), |mut signature| {
        signature[0] ^= 1;
        signature
    });
    assert_eq!(refusal(&verifier, &forged), Denial::SignatureMismatch);
    for name in ["s", "x"] {
        let lists = [list(name)];
        let revocations = Revocations { sub: &lists, ..Revocations::default() };
        assert_eq!(judge(&forged, NOW, 0, revocations), Err(Denial::SignatureMismatch));
    }
}
