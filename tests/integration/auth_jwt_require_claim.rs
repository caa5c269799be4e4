//! `auth_jwt_require_claim`: what the claims of a token must be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{
    FORGER, Nginx, bearer, now, refuses_lines, refuses_parameters, signed_by, token,
};

fn oracle(http: &str, server: &str) -> Nginx {
    Nginx::builder()
        .http(&format!("auth_jwt_key_file issuer.pem; large_client_header_buffers 4 32k; {http}"))
        .server(server)
        .start()
}

/// A location for each of the requirements, `/0` and so on.
fn locations(requirements: &[&str]) -> String {
    let requirements = requirements.iter().enumerate();
    requirements
        .map(|(index, words)| {
            format!(
                "location = /{index} {{ auth_jwt_require_claim {words}; return 200 $ojwt_status$decoded_ojwt; }}"
            )
        })
        .collect()
}

fn verdict(nginx: &Nginx, target: &str, claims: &Value) -> String {
    let jwt = token(claims.clone());
    nginx.get_as(target, &jwt).body
}

fn is_met(nginx: &Nginx, target: &str, claims: &Value) -> bool {
    let body = verdict(nginx, target, claims);
    let is_met = body != "failed: claim rejected";
    assert!(!is_met || body == claims.to_string().as_str(), "{target} with {claims}: {body}");
    is_met
}

#[test]
fn every_operator_narrows_and_its_negation_is_the_contrary() {
    let cases = [
        ("eq admin", json!("admin"), Some(true)),
        ("eq admin", json!("Admin"), Some(false)),
        ("eq 5", json!(5), Some(true)),
        ("eq json=5", json!("5"), None),
        ("eq true", json!(true), Some(true)),
        ("eq 'json={\"a\": [1, null]}'", json!({"a": [1, null]}), Some(true)),
        ("eq admin", json!(["admin"]), None),
        ("gt 17", json!(18), Some(true)),
        ("gt 18", json!(18), Some(false)),
        ("gt b", json!("c"), Some(true)),
        ("gt 17", json!(null), None),
        ("ge 18", json!(18), Some(true)),
        ("ge json=18.5", json!(18), Some(false)),
        ("lt 18", json!(17.5), Some(true)),
        ("lt 18", json!(true), None),
        ("le 18", json!(18), Some(true)),
        ("le 18", json!([1]), None),
        ("in 'json=[\"a\",\"b\"]'", json!("b"), Some(true)),
        ("in 'json=[\"a\",\"b\"]'", json!("c"), Some(false)),
        ("in 'json={\"a\":0}'", json!("a"), Some(true)),
        ("in 'json={\"a\":0}'", json!(1), None),
        ("any 'json=[\"a\",\"b\"]'", json!(["x", "b"]), Some(true)),
        ("any 'json=[\"a\",\"b\"]'", json!([]), Some(false)),
        ("any b", json!(["x", "b"]), Some(true)),
        ("any b", json!({"b": 1}), None),
        ("match '^[a-f0-9]{4}$'", json!("beef"), Some(true)),
        ("match '^[a-f0-9]{4}$'", json!("beef1"), Some(false)),
        ("match 'json=\"^b|c$\"'", json!("xc"), Some(true)),
        ("match [0-9]", json!(5), None),
    ];
    let requirements: Vec<String> = cases
        .iter()
        .flat_map(|(words, _, _)| [format!("v {words}"), format!("v !{words}")])
        .collect();
    let requirements: Vec<&str> = requirements.iter().map(String::as_str).collect();
    let nginx = oracle("", &locations(&requirements));
    for (index, (words, value, expected)) in cases.iter().enumerate() {
        let claims = json!({"v": value});
        for (target, contrary) in [(2 * index, false), (2 * index + 1, true)] {
            let met = is_met(&nginx, &format!("/{target}"), &claims);
            let expected = expected.is_some_and(|expected| expected != contrary);
            assert_eq!(met, expected, "{value} {words}, contrary: {contrary}");
        }
    }
}

#[test]
fn missing_claim_meets_nothing_negated_or_not() {
    let requirements = ["v eq a", "v !eq a", "v !in 'json={}'", "v !match a", ".v.w !any a"];
    let nginx = oracle("", &locations(&requirements));
    for (index, requirement) in requirements.iter().enumerate() {
        for claims in [json!({}), json!({"v": null})] {
            assert!(!is_met(&nginx, &format!("/{index}"), &claims), "{requirement}");
        }
    }
}

#[test]
fn paths_lead_into_objects_and_arrays() {
    let nginx = oracle(
        "",
        &locations(&[
            ".realm_access.roles any admin",
            ".realm_access.roles[0] eq user",
            "a.b eq plain",
            "'.\"a.b\"' eq plain",
        ]),
    );
    let good = json!({"realm_access": {"roles": ["user", "admin"]}, "a.b": "plain"});
    let bad = json!({"realm_access": {"roles": ["guest"]}, "a": {"b": "plain"}});
    for index in 0..4 {
        assert!(is_met(&nginx, &format!("/{index}"), &good), "{index}");
        assert!(!is_met(&nginx, &format!("/{index}"), &bad), "{index}");
    }
}

#[test]
fn all_requirements_of_a_level_count_the_same_claim_twice_included() {
    let nginx = oracle(
        "",
        "auth_jwt_require_claim age ge 18; auth_jwt_require_claim age lt 65;
         auth_jwt_require_claim sub !eq root;
         location / { return 200 $decoded_ojwt; }",
    );
    assert!(is_met(&nginx, "/", &json!({"age": 20, "sub": "me"})));
    for claims in [
        json!({"age": 17, "sub": "me"}),
        json!({"age": 65, "sub": "me"}),
        json!({"age": 20, "sub": "root"}),
        json!({"age": 20}),
    ] {
        assert!(!is_met(&nginx, "/", &claims), "{claims}");
    }
}

#[test]
fn inner_requirements_replace_outer_ones_of_the_same_directive() {
    let nginx = oracle(
        "auth_jwt_require_claim a eq 1; auth_jwt_require_header alg eq RS256;",
        "location = /inherits { return 200 $decoded_ojwt; }
         location = /replaces { auth_jwt_require_claim b eq 1; return 200 $decoded_ojwt; }
         location = /header { auth_jwt_require_header alg eq ES256; return 200 $decoded_ojwt; }",
    );
    let (a, b) = (json!({"a": 1}), json!({"b": 1}));
    for (target, claims, expected) in [
        ("/inherits", &a, true),
        ("/inherits", &b, false),
        ("/replaces", &a, false),
        ("/replaces", &b, true),
        ("/header", &a, false),
    ] {
        assert_eq!(is_met(&nginx, target, claims), expected, "{target} {claims}");
    }
}

#[test]
fn variables_are_compared_as_json_or_as_text() {
    let nginx = oracle(
        "map $request_method $roles { GET '[\"reader\", \"admin\"]'; default '[]'; }",
        &locations(&[
            "sub eq $cookie_user",
            "level ge $arg_level",
            "roles any $roles",
            "sub in $roles",
            "sub eq user-$arg_name",
            "sub !eq $arg_banned",
            "sub eq $arg_json",
        ]),
    );
    let jwt = token(json!({"sub": "user-7", "level": 5, "roles": ["admin"]}));
    for (target, cookie, expected) in [
        ("/0", "user=user-7", true),
        ("/0", "user=user-8", false),
        ("/0", "other=user-7", false),
        ("/1?level=5", "", true),
        ("/1?level=6", "", false),
        ("/1?level=five", "", false),
        ("/1", "", false),
        ("/2", "", true),
        ("/3", "", false),
        ("/4?name=7", "", true),
        ("/4?name=8", "", false),
        ("/5?banned=user-8", "", true),
        ("/5?banned=user-7", "", false),
        ("/6?json=\"user-7\"", "", true),
        ("/6?json=[\"user-7\"]", "", false),
    ] {
        let headers = [bearer(&jwt), format!("Cookie: {cookie}")];
        let body = nginx.get_with(target, &[&headers[0], &headers[1]]).body;
        assert_eq!(!body.contains("failed"), expected, "{target} {cookie}: {body}");
    }
}

#[test]
fn variable_that_is_empty_meets_nothing_negated_or_not() {
    let nginx = oracle("", &locations(&["sub eq $arg_x", "sub !eq $arg_x", "sub !any $arg_x"]));
    for index in 0..3 {
        for sub in ["", "me"] {
            assert!(!is_met(&nginx, &format!("/{index}"), &json!({"sub": sub})), "{index} {sub}");
        }
    }
}

#[test]
fn variables_may_refer_to_the_claims_that_are_compared() {
    let nginx = oracle(
        "map $jwt_claim_tier $limit { gold 100; default 10; }
         map $jwt_header_alg $names { RS256 '[\"a\"]'; default '[]'; }
         auth_jwt_claim_set $owner info owner;",
        &locations(&["aud eq $jwt_claim_azp", "n le $limit", "sub in $names", "sub eq $owner"]),
    );
    for (target, claims, expected) in [
        ("/0", json!({"aud": "x", "azp": "x"}), true),
        ("/0", json!({"aud": "x", "azp": "y"}), false),
        ("/0", json!({"aud": "x"}), false),
        ("/1", json!({"n": 50, "tier": "gold"}), true),
        ("/1", json!({"n": 50, "tier": "iron"}), false),
        ("/2", json!({"sub": "a"}), true),
        ("/2", json!({"sub": "b"}), false),
        ("/3", json!({"sub": "a", "info": {"owner": "a"}}), true),
        ("/3", json!({"sub": "a", "info": {"owner": "b"}}), false),
    ] {
        assert_eq!(is_met(&nginx, target, &claims), expected, "{target} {claims}");
    }
}

#[test]
fn claims_that_are_shown_while_they_are_compared_are_hidden_if_they_fail() {
    let nginx = oracle(
        "",
        "location / {
             auth_jwt_require_claim aud eq $jwt_claim_azp;
             return 200 \"$decoded_ojwt|$jwt_claim_sub|$jwt_claims\";
         }",
    );
    let claims = json!({"aud": "x", "azp": "y", "sub": "me"});
    assert_eq!(verdict(&nginx, "/", &claims), "failed: claim rejected||");
}

#[test]
fn requirement_that_asks_its_own_gate_denies_and_is_not_remembered() {
    let nginx = oracle(
        "",
        "location = /verdict {
             auth_jwt_require_claim sub !eq $decoded_ojwt; return 200 $decoded_ojwt;
         }
         location = /token {
             auth_jwt realm token=$jwt_claim_sub; try_files /none =404;
         }
         location = /mutual {
             auth_jwt realm; auth_jwt_require_claim sub !eq $decoded_ojwt$arg_x;
             try_files /none =404;
         }",
    );
    assert_eq!(verdict(&nginx, "/verdict", &json!({"sub": "me"})), "failed: internal error");
    nginx.wait_for_log("ojwt: internal error: claim sub !eq");
    let jwt = token(json!({"sub": "me"}));
    assert_eq!(nginx.get_as("/token", &jwt).status, 401);
    assert_eq!(nginx.get_as("/mutual", &jwt).status, 500);
    assert_eq!(verdict(&nginx, "/verdict", &json!({})), "failed: internal error");
}

#[test]
fn requirement_is_compared_anew_where_a_redirect_leads() {
    // nginx remembers what a map says for the whole request, but for those that are volatile.
    for volatile in ["", "volatile;"] {
        assert_compared_anew(volatile);
    }
}

fn assert_compared_anew(volatile: &str) {
    let nginx = Nginx::builder()
        .file("html/admin/page", "secret")
        .http(&format!(
            "auth_jwt_key_file issuer.pem;
             map $uri $wanted {{ {volatile} ~^/admin/ admin; default user; }}",
        ))
        .server(
            "auth_jwt realm; auth_jwt_require_claim role eq $wanted;
             location = / { try_files /none /admin/page; }
             location /admin/ { }",
        )
        .start();
    let get = |target: &str, role: &str| {
        let jwt = token(json!({"role": role}));
        nginx.get_as(target, &jwt).status
    };
    assert_eq!(get("/", "user"), 401);
    assert_eq!(get("/", "admin"), 401);
    assert_eq!(get("/admin/page", "admin"), 200);
    assert_eq!(get("/admin/page", "user"), 401);
}

#[test]
fn refusal_is_401_and_told_by_status_and_log_without_the_value() {
    let nginx = Nginx::builder()
        .file("html/index.html", "content")
        .http(
            "auth_jwt_key_file issuer.pem;
             log_format status '$status $ojwt_status'; access_log access.log status;",
        )
        .server(
            "auth_jwt realm;
             location = /constant { auth_jwt_require_claim .a[0] !match ^secret; }
             location = /variable { auth_jwt_require_claim sub eq $arg_sub; }",
        )
        .start();
    let jwt = token(json!({"a": ["secret-1"], "sub": "secret-2"}));
    for target in ["/constant", "/variable?sub=secret-3"] {
        let response = nginx.get_as(target, &jwt);
        assert_eq!(response.status, 401);
        let challenge = "Bearer realm=\"realm\", error=\"invalid_token\"";
        assert_eq!(response.header("WWW-Authenticate"), Some(challenge));
    }
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), "401 claim_rejected\n401 claim_rejected\n");
    let log = nginx.error_log();
    assert!(log.contains("[info]"), "{log}");
    assert_eq!(log.matches("ojwt: claim rejected: claim .a[0] !match, client:").count(), 1);
    assert_eq!(log.matches("ojwt: claim rejected: claim sub eq, client:").count(), 1);
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn no_requirement_makes_up_for_another_check() {
    let nginx = oracle(
        "",
        &locations(&["exp lt 1", "exp !eq json=[1]", "sub eq $jwt_claim_sub", "v eq $arg_v"]),
    );
    let expired = json!({"exp": 0, "sub": "me", "v": 1});
    let elsewhere = json!({"host": "other.example", "exp": 0.5, "sub": "me"});
    for target in ["/0", "/1", "/2", "/3?v=1"] {
        assert_eq!(verdict(&nginx, target, &expired), "failed: token expired");
        assert_eq!(verdict(&nginx, target, &elsewhere), "failed: token expired");
        let forged = signed_by(&FORGER, &json!({"exp": now() + 60, "sub": "me", "v": 1}));
        let body = nginx.get_as(target, &forged).body;
        assert_eq!(body, "failed: signature mismatch");
        assert_eq!(nginx.get(target).body, "failed: no token");
    }
}

#[test]
fn cookie_is_set_only_if_the_requirement_is_met() {
    let nginx = oracle("", &locations(&["sub eq $arg_sub"]));
    let jwt = token(json!({"sub": "me"}));
    assert_eq!(nginx.get(&format!("/0?sub=you&jwt={jwt}")).header("Set-Cookie"), None);
    assert!(nginx.get(&format!("/0?sub=me&jwt={jwt}")).header("Set-Cookie").is_some());
}

#[test]
fn exploding_pattern_on_a_token_of_the_largest_size_takes_no_time() {
    let nginx =
        oracle("", &locations(&["v match '^(a+)+$'", "v match '(a|aa)+b'", "v match '(.*)*x'"]));
    let claims = json!({"v": format!("{}!", "a".repeat(11_800))});
    assert!(token(claims.clone()).len() > 16_000);
    let start = Instant::now();
    for index in 0..3 {
        assert!(!is_met(&nginx, &format!("/{index}"), &claims));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn names_that_other_modules_have_for_negations_and_any_are_known() {
    let nginx = oracle(
        "",
        &locations(&[
            "v ne a",
            "v !ne a",
            "v nin 'json=[\"a\"]'",
            "v !nin 'json=[\"a\"]'",
            "v intersect 'json=[\"a\"]'",
            "v nintersect 'json=[\"a\"]'",
            "v !nintersect 'json=[\"a\"]'",
        ]),
    );
    for (value, expected) in [
        (json!("a"), [false, true, false, true, true, false, true]),
        (json!("b"), [true, false, true, false, false, true, false]),
        (json!(["b", "a"]), [false, false, false, false, true, false, true]),
        (json!(["b"]), [false, false, false, false, false, true, false]),
        (json!(null), [false; 7]),
    ] {
        for (index, expected) in expected.into_iter().enumerate() {
            let met = is_met(&nginx, &format!("/{index}"), &json!({"v": value}));
            assert_eq!(met, expected, "{index} {value}");
        }
    }
}

#[test]
fn variable_that_is_no_list_or_broken_json_keeps_out_whom_a_list_would() {
    let nginx = oracle(
        "",
        &locations(&[
            "v !any $arg_x",
            "v !eq $arg_x",
            "v !in $arg_x",
            "v !gt $arg_x",
            "v eq $arg_x",
        ]),
    );
    let jwt = token(json!({"v": "b"}));
    let met = |index: usize, x: &str| {
        let body = nginx.get_as(&format!("/{index}?x={x}"), &jwt).body;
        body.starts_with('{')
    };
    assert_eq!([0, 2].map(|index| met(index, "[\"a\"]")), [true, true]);
    // No list of what is forbidden, so that nothing is in common with it.
    for x in ["a", "a,c", "\"a\"", "{\"a\":1}", "5", "null"] {
        assert!(!met(0, x), "{x}");
    }
    assert!(met(1, "a") && met(3, "c"));
    // Meant for JSON, but none: as text it would be equal to nothing.
    for x in ["[\"a\"", "[\"a\",]", "{\"a\":1", "\"a", "[b]"] {
        assert_eq!([0, 1, 2, 3].map(|index| met(index, x)), [false; 4], "{x}");
    }
    let bracket = bearer(&token(json!({"v": "[::1]"})));
    assert!(nginx.get_with("/4?x=[::1]", &[&bracket]).body.starts_with('{'));
    assert_eq!(nginx.count_in_log("claim v !any: what it is compared with is not a JSON array"), 6);
    assert_eq!(
        nginx.count_in_log("claim v !eq: what it is compared with begins like JSON, and is none"),
        5
    );
}

#[test]
fn variable_that_is_too_long_meets_nothing_negated_or_not() {
    let nginx = oracle(
        "map $arg_n $list { 1 $http_a; 4 '[\"$http_a\"]'; }
         map $arg_n $long { default '$http_a$http_a$http_a$http_a'; }",
        &locations(&[
            "v any $list",
            "v !any '[\"$http_a$http_a$http_a\"]'",
            "v !eq $http_a$http_a$http_a",
        ]),
    );
    let authorization = bearer(&token(json!({"v": ["b"]})));
    let padding = "a".repeat(30_000);
    for index in 0..3 {
        let header = format!("A: {padding}");
        let body = nginx.get_with(&format!("/{index}"), &[&authorization, &header]).body;
        assert_eq!(body, "failed: claim rejected", "{index}");
    }
    nginx.wait_for_log("claim v !any: what it is compared with is too long");
}

/// The time that a process was on a processor, in hundredths of a second.
fn processor_time(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn long_list_of_the_client_is_compared_once_and_quickly_however_often_a_claim_is_used() {
    let uses = "$jwt_claim_sub$decoded_ojwt$jwt_claims".repeat(20);
    let nginx = oracle(
        "auth_jwt_max_token_size 64k;",
        &format!(
            "location = /any {{ auth_jwt_require_claim groups any $http_x_groups; return 200 '{uses}'; }}
             location = /none {{ auth_jwt_require_claim groups !any $http_x_groups; return 200 '{uses}'; }}
             location = /same {{ auth_jwt_require_claim groups eq $http_x_groups; return 200 '{uses}'; }}
             location = /in {{ auth_jwt_require_claim sub in $http_x_groups; return 200 '{uses}'; }}"
        ),
    );
    let groups: Vec<Value> = (0..500).map(|i| json!([format!("group {i}"), i])).collect();
    let jwt = token(json!({"sub": "group", "groups": groups}));
    let authorization = bearer(&jwt);
    let list: Vec<String> = (0..900).map(|i| format!("[\"x{i:03}\"]")).collect();
    let header = format!("X-Groups: [{}]", list.join(","));
    assert!(header.len() > 8_000, "{}", header.len());
    let worker = nginx.workers()[0];
    let before = processor_time(worker);
    for target in ["/any", "/none", "/same", "/in"] {
        for _ in 0..5 {
            assert_eq!(nginx.get_with(target, &[&authorization, &header]).status, 200, "{target}");
        }
    }
    let spent = processor_time(worker) - before;
    assert!(spent < 200, "{spent} hundredths of a second for 20 requests");
}

#[test]
fn refusal_names_the_claim_and_what_is_wrong_with_its_type() {
    let cases = [
        ("sub eq a", json!({"v": 1}), "claim sub eq: is missing"),
        (
            ".v.w[1] ge json=18",
            json!({"v": {"w": [0, "secret"]}}),
            "claim .v.w[1] ge: is a string, not a number",
        ),
        ("v eq a", json!({"v": 5_432_101}), "claim v eq: is a number, not a boolean or a string"),
        ("v in 'json=[1]'", json!({"v": "secret"}), "claim v in: is a string, not a number"),
        (
            "v !any 'json=[\"a\"]'",
            json!({"v": [5_432_101]}),
            "claim v !any: is an array without a string",
        ),
        ("v match ^a", json!({"v": ["secret"]}), "claim v match: is an array, not a string"),
        ("v !match ^s", json!({"v": "secret"}), "claim v !match,"),
        (
            "v gt $arg_x",
            json!({"v": {"secret": 1}}),
            "claim v gt: what it is compared with is empty",
        ),
        ("v gt $uri", json!({"v": {"secret": 1}}), "claim v gt: is an object, not a string"),
    ];
    let requirements: Vec<&str> = cases.iter().map(|(words, _, _)| *words).collect();
    let nginx = oracle("", &locations(&requirements));
    for (index, (words, claims, told)) in cases.iter().enumerate() {
        assert!(!is_met(&nginx, &format!("/{index}"), claims), "{words}");
        nginx.wait_for_log(&format!("ojwt: claim rejected: {told}"));
    }
    for secret in ["secret", "5432101"] {
        assert!(!nginx.error_log().contains(secret), "{}", nginx.error_log());
    }
}

#[test]
fn mistakes_are_refused_with_file_line_and_reason() {
    refuses_parameters(
        "auth_jwt_require_claim",
        &[
            ("", "invalid number of arguments in \"auth_jwt_require_claim\" directive"),
            ("sub eq", "invalid number of arguments"),
            ("sub eq a b", "invalid number of arguments"),
            ("'' eq a", "invalid path \"\""),
            (".a. eq a", "invalid path \".a.\""),
            ("$arg_x eq a", "invalid path \"$arg_x\""),
            ("sub == a", "unknown operator \"==\""),
            ("sub neq a", "unknown operator \"neq\""),
            ("sub !!ne a", "unknown operator \"!!ne\""),
            ("sub nin a", "operator \"in\" needs an array or an object in JSON, not \"a\""),
            ("sub !!eq a", "unknown operator \"!!eq\""),
            ("sub EQ a", "unknown operator \"EQ\""),
            ("sub eq json=", "\"json=\" is not strict JSON"),
            ("sub eq 'json={\"a\":1,\"a\":2}'", "is not strict JSON"),
            ("sub eq json=[", "\"json=[\" is not strict JSON"),
            ("sub eq 'json=\"$arg_a\"'", "no variable may stand in \"json=\""),
            ("sub in abc", "operator \"in\" needs an array or an object in JSON, not \"abc\""),
            ("sub in '[\"a\"]'", "operator \"in\" needs an array or an object in JSON"),
            (
                "sub !in json=1",
                "operator \"in\" needs an array or an object in JSON, not \"json=1\"",
            ),
            ("sub lt json=true", "operator \"lt\" needs a number or a string, not \"json=true\""),
            ("sub match json=1", "operator \"match\" needs a regular expression, not \"json=1\""),
            ("sub match (", "pattern \"(\": unclosed group"),
            ("sub match $arg_x", "no pattern may hold a variable: \"$arg_x\""),
            ("sub match ^${host}", "no pattern may hold a variable"),
            ("sub match '(a{1000}){1000}'", "pattern \"(a{1000}){1000}\": "),
            ("sub eq a$", "invalid variable name"),
        ],
    );
}

#[test]
fn unknown_variable_is_refused() {
    let mistake = ("sub eq $nosuch", "unknown \"nosuch\" variable");
    refuses_parameters("auth_jwt_require_claim", &[mistake]);
}

#[test]
fn is_allowed_at_every_level_and_not_in_if() {
    let words = "auth_jwt_require_claim sub !eq 'json=\"\"';";
    Nginx::builder()
        .http(words)
        .server(&format!("{words} location / {{ {words} limit_except GET {{ {words} }} }}"))
        .accepted();
    let in_if = format!("if ($arg_a) {{ {words} }}");
    refuses_lines(&[(&in_if, "directive is not allowed here")]);
}

#[test]
fn number_in_a_variable_is_one_in_the_grammar_of_json_and_compared_exactly() {
    let nginx =
        oracle("", &locations(&["n eq $arg_n", "n !eq $arg_n", "n le $arg_n", "n any $arg_n"]));
    let claims = json!({"n": 9_007_199_254_740_993_u64});
    let meets = |index: usize, spelled: &str| {
        let jwt = token(claims.clone());
        let body = nginx.get_as(&format!("/{index}?n={spelled}"), &jwt).body;
        assert!(body.starts_with('{') || body == "failed: claim rejected", "{body}");
        body.starts_with('{')
    };
    for same in
        ["9007199254740993", "9007199254740993.0", "9.007199254740993e15", "9007199254740993000E-3"]
    {
        assert_eq!(
            [0, 1, 2, 3].map(|index| meets(index, same)),
            [true, false, true, true],
            "{same}"
        );
    }
    for other in ["9007199254740992.0", "9007199254740992", "9007199254740992.9999999999999999999"]
    {
        assert_eq!(
            [0, 1, 2, 3].map(|index| meets(index, other)),
            [false, true, false, false],
            "{other}"
        );
    }
    for none in [
        "%2B9007199254740993",
        "09007199254740993",
        "9007199254740993.",
        ".9e1",
        "-",
        "1e",
        "0x1",
        "inf",
        "Infinity",
        "NaN",
        "9007199254740993e0.0",
        "1_0",
        "9007199254740993%20",
    ] {
        assert_eq!([0, 1, 2, 3].map(|index| meets(index, none)), [false; 4], "{none}");
    }
}
