//! Requirements: nothing that a directive or a token says upsets them, and they are consistent.
//!
//! Four lines: a path, an operand, a pattern, claims.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ojwt_core::policy::requirement::{Comparison, Operand, Operator, Part, Pattern};
use ojwt_core::text::json::Json;
use ojwt_core::text::path::Path;
use ojwt_core::{Alg, Circumstances, Claims, KeySet, TokenType};
use ojwt_fuzz::{SIGNERS, jwk, key_set, line, verifier};

static KEYS: LazyLock<[Arc<KeySet>; 1]> =
    LazyLock::new(|| [key_set(jwk(&SIGNERS[0].1, None).to_string().as_bytes())]);

const OPERATORS: [&str; 8] = ["eq", "gt", "ge", "lt", "le", "in", "any", "match"];

fuzz_target!(|data: &[u8]| {
    let (path, rest) = line(data);
    let (operand, rest) = line(rest);
    let (pattern, payload) = line(rest);
    let (Ok(path), Ok(pattern)) = (str::from_utf8(path), str::from_utf8(pattern)) else { return };
    let path = Path::parse(path);
    if let Some(path) = &path {
        assert_eq!(Path::parse(&path.to_string()).as_ref(), Some(path));
    }
    let pattern = Pattern::new(pattern);
    if let Err(error) = &pattern {
        assert!(!error.contains('\n'));
    }
    let token = SIGNERS[0].1.sign(Alg::HS256, None, payload).unwrap();
    let at = Circumstances::new(0, None);
    let claims = verifier(TokenType::Signed).verify(token.as_bytes(), &*KEYS, &at);
    let (Some(path), Ok(claims)) = (path, claims) else { return };
    let operands = [
        Operand::of_variable(operand).ok(),
        Json::parse(operand).ok().map(Operand::Json),
        String::from_utf8(operand.to_vec()).ok().map(Operand::Text),
        pattern.ok().map(Operand::Pattern),
    ];
    for operand in operands.into_iter().flatten() {
        check(&path, &operand, &claims);
    }
});

fn check(path: &Path, operand: &Operand, claims: &Claims) {
    for part in [Part::Header, Part::Claims] {
        let is_met = |name: &str| {
            let (operator, negated) = Operator::from_name(name).unwrap();
            let comparison = Comparison { part, path: path.clone(), operator, negated };
            assert!(comparison.to_string().ends_with(name));
            comparison.is_met(claims, operand)
        };
        for name in OPERATORS {
            let (holds, fails) = (is_met(name), is_met(&format!("!{name}")));
            assert!(!(holds && fails), "{name}");
            let operator = Operator::from_name(name).unwrap().0;
            assert!(operator.misses(operand).is_none() || !(holds || fails), "{name}");
            // What is not there meets nothing.
            assert!(path.find(part.of(claims)).is_some() || !(holds || fails), "{name}");
        }
        assert_eq!(is_met("gt"), is_met("!le"));
        assert_eq!(is_met("lt"), is_met("!ge"));
        assert!(!(is_met("gt") && is_met("lt")));
        if is_met("le") && is_met("ge") {
            assert!(is_met("eq"));
        }
    }
}
