//! What verified claims must be, and when and where they are good.

use ojwt_core::{Alg, Circumstances, Claims, Denial};
use serde_json::{Value, json};

use crate::common::{
    NOW, assemble, base64, judge, jwks, key, parts, refusal, verifier_for, with, with_signature,
};

fn claims_of(payload: &str, at: &Circumstances<'_>, leeway: u64) -> Result<Claims, Denial> {
    let mut verifier = verifier_for(Alg::HS256);
    verifier.policy.leeway = leeway;
    let token = key(Alg::HS256).sign(Alg::HS256, None, payload.as_bytes()).unwrap();
    verifier.verify(token.as_bytes(), at)
}

/// Whether `payload` is accepted at `now`, with `leeway`.
fn at(now: i64, leeway: u64, payload: &str) -> Result<(), Denial> {
    claims_of(payload, &Circumstances::new(now, None), leeway).map(drop)
}

/// Whether `payload` is accepted for `host`.
fn for_host(host: Option<&str>, payload: &Value) -> Result<(), Denial> {
    let at = Circumstances::new(NOW, host.map(str::as_bytes));
    claims_of(&payload.to_string(), &at, 0).map(drop)
}

// exp (RFC 7519 section 4.1.4)

#[test]
fn exp_is_the_first_second_at_which_a_token_is_refused() {
    let payload = r#"{"exp":1000}"#;
    assert_eq!(at(999, 0, payload), Ok(()));
    assert_eq!(at(1000, 0, payload), Err(Denial::Expired));
    assert_eq!(at(1001, 0, payload), Err(Denial::Expired));
}

#[test]
fn leeway_moves_exp_by_as_many_seconds() {
    let payload = r#"{"exp":1000}"#;
    assert_eq!(at(1059, 60, payload), Ok(()));
    assert_eq!(at(1060, 60, payload), Err(Denial::Expired));
}

// nbf (RFC 7519 section 4.1.5)

#[test]
fn nbf_is_the_first_second_at_which_a_token_is_accepted() {
    let payload = r#"{"nbf":1000}"#;
    assert_eq!(at(999, 0, payload), Err(Denial::NotYetValid));
    assert_eq!(at(1000, 0, payload), Ok(()));
    assert_eq!(at(1001, 0, payload), Ok(()));
}

#[test]
fn leeway_moves_nbf_by_as_many_seconds() {
    let payload = r#"{"nbf":1000}"#;
    assert_eq!(at(939, 60, payload), Err(Denial::NotYetValid));
    assert_eq!(at(940, 60, payload), Ok(()));
}

#[test]
fn a_token_whose_times_exclude_each_other_is_never_accepted() {
    let payload = r#"{"nbf":2000,"exp":1000}"#;
    for now in [0, 999, 1000, 1500, 1999, 2000, 3000] {
        at(now, 0, payload).unwrap_err();
    }
}

#[test]
fn iat_is_no_nbf() {
    // Its type is checked; RFC 7519 section 4.1.6 asks for nothing else.
    assert_eq!(at(1000, 0, r#"{"iat":4102444800}"#), Ok(()));
}

#[test]
fn a_token_without_times_is_good_at_any_time() {
    for now in [i64::MIN, -1, 0, NOW, i64::MAX] {
        for leeway in [0, u64::MAX] {
            assert_eq!(at(now, leeway, "{}"), Ok(()));
        }
    }
}

// NumericDate (RFC 7519 section 2)

#[test]
fn reads_fractions_exponents_and_signs() {
    for (number, last_good) in [
        ("1000.5", 1000),
        ("1000.0", 999),
        ("999.999999", 999),
        ("1e3", 999),
        ("1E3", 999),
        ("1.0e+3", 999),
        ("10000e-1", 999),
        ("0", -1),
        ("-0", -1),
        ("-0.0", -1),
        ("0.5", 0),
        ("-1", -2),
        ("-1.5", -2),
        ("1e-400", -1),
        ("0e999999999", -1),
        ("9007199254740993", 9_007_199_254_740_991),
    ] {
        let payload = format!(r#"{{"exp":{number}}}"#);
        assert_eq!(at(last_good, 0, &payload), Ok(()), "{number}");
        assert_eq!(at(last_good + 1, 0, &payload), Err(Denial::Expired), "{number}");
    }
    for (number, first_good) in
        [("1000.5", 1001), ("1e3", 1000), ("-0", 0), ("-1.5", -1), ("0.001", 1)]
    {
        let payload = format!(r#"{{"nbf":{number}}}"#);
        assert_eq!(at(first_good - 1, 0, &payload), Err(Denial::NotYetValid), "{number}");
        assert_eq!(at(first_good, 0, &payload), Ok(()), "{number}");
    }
}

#[test]
fn rejects_a_date_too_large_for_any_clock_and_takes_those_that_are_merely_far() {
    for number in ["1e309", "-1e309", "1e999999999", &"9".repeat(400)] {
        for claim in ["exp", "nbf", "iat"] {
            let payload = format!(r#"{{"{claim}":{number}}}"#);
            assert_eq!(at(NOW, 0, &payload), Err(Denial::ClaimRejected), "{payload}");
            assert_eq!(at(NOW, u64::MAX, &payload), Err(Denial::ClaimRejected), "{payload}");
        }
    }
    for number in ["1e308", "99999999999999999999", "9223372036854775808", "18446744073709551616"] {
        assert_eq!(at(NOW, 0, &format!(r#"{{"exp":{number}}}"#)), Ok(()));
        let early = format!(r#"{{"nbf":{number}}}"#);
        assert_eq!(at(NOW, 0, &early), Err(Denial::NotYetValid));
        let long_ago = format!(r#"{{"exp":-{number}}}"#);
        assert_eq!(at(NOW, 0, &long_ago), Err(Denial::Expired));
    }
}

#[test]
fn no_leeway_time_or_claim_overflows() {
    let numbers = [
        "0",
        "-1",
        "1e308",
        "-1e308",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "1.7976931348623157e308",
        "5e-324",
    ];
    for now in [i64::MIN, i64::MIN + 1, -1, 0, 1, NOW, i64::MAX - 1, i64::MAX] {
        for leeway in [0, 1, 1 << 53, i64::MAX.unsigned_abs(), u64::MAX] {
            for number in numbers {
                for claim in ["exp", "nbf", "iat"] {
                    let payload = format!(r#"{{"{claim}":{number}}}"#);
                    let circumstances = Circumstances::new(now, None);
                    match claims_of(&payload, &circumstances, leeway) {
                        Ok(claims) => {
                            let now = ojwt_core::token::claims::NumericDate::from_seconds(now);
                            claims.expires().map(|exp| exp.seconds_after(now));
                        }
                        Err(denial) => {
                            assert!(matches!(denial, Denial::Expired | Denial::NotYetValid));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_leeway_accepts_what_the_claims_allow_and_no_other_kind_of_fault() {
    assert_eq!(at(NOW, u64::MAX, r#"{"exp":0}"#), Ok(()));
    assert_eq!(at(NOW, u64::MAX, r#"{"nbf":1e19}"#), Ok(()));
    assert_eq!(at(NOW, u64::MAX, r#"{"nbf":1e30}"#), Err(Denial::NotYetValid));
    assert_eq!(at(NOW, u64::MAX, r#"{"exp":"0"}"#), Err(Denial::ClaimRejected));
}

#[test]
fn the_time_until_exp_is_what_a_cookie_lives() {
    let at = Circumstances::new(1000, None);
    let lifetime = |payload: &str| {
        let now = ojwt_core::token::claims::NumericDate::from_seconds(1000);
        claims_of(payload, &at, 100).unwrap().expires().map(|exp| exp.seconds_after(now))
    };
    assert_eq!(lifetime("{}"), None);
    assert_eq!(lifetime(r#"{"exp":1060}"#), Some(60));
    assert_eq!(lifetime(r#"{"exp":1060.9}"#), Some(60));
    assert_eq!(lifetime(r#"{"exp":1000}"#), Some(0));
    assert_eq!(lifetime(r#"{"exp":950}"#), Some(0));
    assert_eq!(lifetime(r#"{"exp":1e300}"#), Some(u64::MAX));
}

// Types of registered claims (RFC 7519 section 4.1)

#[test]
fn rejects_exp_nbf_and_iat_that_are_no_numbers() {
    for claim in ["exp", "nbf", "iat"] {
        for value in ["null", "\"4102444800\"", "\"\"", "true", "false", "[4102444800]", "[]", "{}"]
        {
            let payload = format!(r#"{{"{claim}":{value}}}"#);
            assert_eq!(at(NOW, 0, &payload), Err(Denial::ClaimRejected), "{payload}");
        }
    }
}

#[test]
fn rejects_iss_sub_and_jti_that_are_no_strings() {
    for claim in ["iss", "sub", "jti"] {
        for value in ["null", "0", "1.5", "true", r#"["alice"]"#, "[]", r#"{"a":"b"}"#] {
            let payload = format!(r#"{{"{claim}":{value}}}"#);
            assert_eq!(at(NOW, 0, &payload), Err(Denial::ClaimRejected), "{payload}");
        }
        for value in [r#""""#, r#""alice""#, r#""urn:x:y""#, r#""\u0000""#] {
            assert_eq!(at(NOW, 0, &format!(r#"{{"{claim}":{value}}}"#)), Ok(()));
        }
    }
}

#[test]
fn rejects_aud_that_is_neither_a_string_nor_an_array_of_strings() {
    for value in ["null", "0", "true", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#, r#"["a",{}]"#] {
        let payload = format!(r#"{{"aud":{value}}}"#);
        assert_eq!(at(NOW, 0, &payload), Err(Denial::ClaimRejected), "{payload}");
    }
    for value in [r#""a""#, r#"["a","b"]"#, "[]", r#""""#] {
        assert_eq!(at(NOW, 0, &format!(r#"{{"aud":{value}}}"#)), Ok(()));
    }
}

#[test]
fn an_escaped_name_is_the_same_claim() {
    assert_eq!(at(NOW, 0, r#"{"\u0065xp":1}"#), Err(Denial::Expired));
    assert_eq!(at(NOW, 0, r#"{"e\u0078p":"x"}"#), Err(Denial::ClaimRejected));
    let hidden = json!({}).to_string().replace("{}", r#"{"h\u006fst":"other.example"}"#);
    let at = Circumstances::new(NOW, Some(b"example.com"));
    assert_eq!(claims_of(&hidden, &at, 0).unwrap_err(), Denial::WrongHost);
}

#[test]
fn claims_of_other_names_and_places_are_no_registered_ones() {
    let payload = r#"{"EXP":1,"Exp":1,"exp ":1,"data":{"exp":1,"nbf":"x","host":"x","iss":1}}"#;
    let at = Circumstances::new(NOW, Some(b"example.com"));
    assert_eq!(claims_of(payload, &at, 0).unwrap().as_json(), payload);
}

// host

#[test]
fn a_host_claim_binds_the_token_to_the_host_of_the_request() {
    for name in ["host", "Host"] {
        let payload = json!({name: "example.com"});
        for requested in
            ["example.com", "EXAMPLE.com", "example.com:8089", "example.com.", "example.com.:80"]
        {
            assert_eq!(for_host(Some(requested), &payload), Ok(()), "{name} {requested}");
        }
        for requested in [
            "",
            "example.org",
            "example.co",
            "www.example.com",
            "example.com.evil.example",
            "evil.example",
            "example.com@evil.example",
            "evil.example#example.com",
            "example.com\0",
            "example.com:80:80",
            "example.com:x",
            " example.com",
            "example.com ",
            "xn--example-com",
            "exämple.com",
        ] {
            let result = for_host(Some(requested), &payload);
            assert_eq!(result, Err(Denial::WrongHost), "{name} {requested:?}");
        }
    }
}

#[test]
fn a_host_claim_may_name_a_port_which_is_ignored() {
    assert_eq!(for_host(Some("example.com"), &json!({"host": "example.com:8443"})), Ok(()));
    assert_eq!(for_host(Some("example.com:80"), &json!({"host": "Example.Com:8443"})), Ok(()));
}

#[test]
fn an_array_of_hosts_admits_each_of_them_and_no_other() {
    let payload = json!({"host": ["a.example", "b.example"]});
    assert_eq!(for_host(Some("a.example"), &payload), Ok(()));
    assert_eq!(for_host(Some("B.example"), &payload), Ok(()));
    assert_eq!(for_host(Some("c.example"), &payload), Err(Denial::WrongHost));
    assert_eq!(for_host(Some("a.example"), &json!({"host": []})), Err(Denial::WrongHost));
}

#[test]
fn two_host_claims_must_both_admit_the_host() {
    let payload = json!({"host": "a.example", "Host": ["a.example", "b.example"]});
    assert_eq!(for_host(Some("a.example"), &payload), Ok(()));
    assert_eq!(for_host(Some("b.example"), &payload), Err(Denial::WrongHost));
}

#[test]
fn a_host_claim_with_two_final_periods_or_a_period_after_the_port_admits_no_host() {
    for (claimed, requested) in [
        ("example.com..", "example.com."),
        ("example.com..", "example.com"),
        ("example.com:80.", "example.com:80"),
        ("example.com:80.", "example.com"),
        ("..", "."),
    ] {
        let result = for_host(Some(requested), &json!({"host": claimed}));
        assert_eq!(result, Err(Denial::WrongHost), "{claimed} {requested}");
    }
}

#[test]
fn a_host_claim_that_names_no_host_admits_none() {
    for name in ["host", "Host"] {
        for value in [
            json!(null),
            json!(""),
            json!("."),
            json!(":80"),
            json!(5),
            json!(true),
            json!({"example.com": 1}),
            json!(["example.com", 5]),
            json!([["example.com"]]),
            json!("*"),
            json!("*.com"),
            json!(".com"),
            json!("example.com, evil.example"),
        ] {
            for requested in ["example.com", "", ".", ":80"] {
                let result = for_host(Some(requested), &json!({name: value}));
                assert_eq!(result, Err(Denial::WrongHost), "{name} {value} {requested:?}");
            }
        }
    }
}

#[test]
fn a_token_without_a_host_claim_is_good_for_any_host() {
    for host in [None, Some(""), Some("example.com")] {
        assert_eq!(for_host(host, &json!({"HOST": "x", "hosts": "y"})), Ok(()));
    }
}

#[test]
fn without_a_request_there_is_no_host_to_compare() {
    assert_eq!(for_host(None, &json!({"host": "example.com"})), Ok(()));
    assert_eq!(for_host(Some(""), &json!({"host": "example.com"})), Err(Denial::WrongHost));
}

#[test]
fn an_ipv6_host_is_compared_with_its_brackets() {
    let payload = json!({"host": "[2001:db8::1]"});
    assert_eq!(for_host(Some("[2001:DB8::1]:443"), &payload), Ok(()));
    for other in ["[2001:db8::2]", "2001:db8::1", "[2001:db8:", "[2001"] {
        assert_eq!(for_host(Some(other), &payload), Err(Denial::WrongHost), "{other}");
    }
    // What follows the last colon of a bare address is no port.
    let bare = json!({"host": "2001:db8::1"});
    assert_eq!(for_host(Some("2001:db8::2"), &bare), Err(Denial::WrongHost));
}

// What the claims look like

#[test]
fn claims_are_compact_in_the_issuers_order_with_numbers_as_written() {
    let payload = concat!(
        "{ \"z\" : 1.50 ,\n\t\"a\" : [ 1e2 , -0 , 12345678901234567890.0 ] ,\r\n",
        "\"s\" : \"a  b\\u0041\\/\", \"o\" : { } }"
    );
    let claims = claims_of(payload, &Circumstances::new(NOW, None), 0).unwrap();
    assert_eq!(
        claims.as_json(),
        r#"{"z":1.50,"a":[1e2,-0,12345678901234567890.0],"s":"a  b\u0041\/","o":{}}"#
    );
}

#[test]
fn claims_hold_no_character_that_could_end_a_header_line() {
    let payload = "{\"a\":\"\\r\\nSet-Cookie: x=y\\u0000\\u007f\u{7f}\u{85}\u{9b}\"}";
    let claims = claims_of(payload, &Circumstances::new(NOW, None), 0).unwrap();
    assert!(!claims.as_json().chars().any(char::is_control), "{}", claims.as_json());
}

#[test]
fn claims_of_a_forged_token_are_never_judged() {
    // Were they, the answer would say something of the payload.
    let verifier = verifier_for(Alg::HS256);
    for payload in [r#"{"exp":1}"#, r#"{"nbf":4102444800}"#, r#"{"host":"x"}"#, r#"{"iss":1}"#, "x"]
    {
        let good = key(Alg::HS256).sign(Alg::HS256, None, payload.as_bytes()).unwrap();
        judge(&verifier, &good).unwrap_err();
        let forged = with_signature(&good, |tag| tag.into_iter().rev().collect());
        assert_eq!(refusal(&verifier, forged), Denial::SignatureMismatch, "{payload}");
        let [header, payload, _] = parts(&good);
        let unsigned = format!("{header}.{payload}.");
        assert_eq!(refusal(&verifier, unsigned), Denial::SignatureMismatch);
        let stranger = assemble(br#"{"alg":"HS512"}"#, b"{\"exp\":1}", &[0; 64]);
        assert_eq!(refusal(&verifier, stranger), Denial::SignatureMismatch);
    }
}

#[test]
fn a_claim_can_be_looked_up_once_the_token_is_verified() {
    let keys = jwks(&[with(json!({"kty": "oct", "k": base64([9; 64])}), &json!({"kid": "k"}))]);
    let signer = ojwt_core::issue::sign::SigningKey::read(
        json!({"kty": "oct", "k": base64([9; 64])}).to_string().as_bytes(),
    )
    .unwrap();
    let payload = br#"{"sub":"al\u0069ce","n":1.0,"l":["a",2],"t":true}"#;
    let token = signer.sign(Alg::HS512, Some("k"), payload).unwrap();
    let claims = judge(&crate::common::verifier(keys), token).unwrap();
    assert_eq!(claims.claim("sub").unwrap().as_str().unwrap(), "alice");
    assert_eq!(claims.claim("n").unwrap().as_number(), Some("1.0"));
    assert_eq!(claims.claim("l").unwrap().as_array().unwrap().count(), 2);
    assert_eq!(claims.claim("t").unwrap().as_bool(), Some(true));
    assert!(claims.claim("missing").is_none() && claims.claim("a").is_none());
}
