//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.

use std::collections::BTreeMap;

use contract_identity_v1::{
    ConnectClaims, InvalidContext, Principal, REFUSAL_KEY, RevocationRow, TokenRow, refusal_context,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const CLAIMS: &str = include_str!("../fixtures/connect-claims.json");
const TOKEN_ROW: &str = include_str!("../fixtures/token-row.json");
const REVOCATION_ROW: &str = include_str!("../fixtures/revocation-row.json");
const PRINCIPAL: &str = include_str!("../fixtures/principal.json");

#[test]
fn fixtures_round_trip() {
    fn assert_round_trip<T: Serialize + DeserializeOwned>(fixture: &str) {
        let value: T = serde_json::from_str(fixture).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), fixture.trim_end());
    }

    assert_round_trip::<ConnectClaims>(CLAIMS);
    assert_round_trip::<TokenRow>(TOKEN_ROW);
    assert_round_trip::<RevocationRow>(REVOCATION_ROW);
    assert_round_trip::<Principal>(PRINCIPAL);
}

#[test]
fn context_carries_a_principal() {
    let principal: Principal = serde_json::from_str(PRINCIPAL).unwrap();
    assert_eq!(Principal::from_context(&principal.to_context()).unwrap(), principal);
    let message = Principal::from_context(&BTreeMap::new()).unwrap_err().to_string();
    assert_eq!(message, r#"the authorizer context has no "principal""#);
}

#[test]
fn context_with_a_refusal_has_no_principal() {
    let refused = |context: &BTreeMap<String, String>| match Principal::from_context(context) {
        Err(InvalidContext::Refused { status }) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&refusal_context(400)), 400);
    assert_eq!(refusal_context(400).into_iter().next(), Some(("refusal".to_owned(), "400".to_owned())));
    // A principal beside the refusal changes nothing.
    let principal: Principal = serde_json::from_str(PRINCIPAL).unwrap();
    let mut both = principal.to_context();
    for odd in ["200", "101", "", "no", "400.5", "65536"] {
        both.insert(REFUSAL_KEY.to_owned(), odd.to_owned());
        assert_eq!(refused(&both), 500);
    }
}

#[test]
fn schemas_are_current() {
    for (name, schema) in [
        ("connect-claims", contract_schema::schema_for!(ConnectClaims)),
        ("token-row", contract_schema::schema_for!(TokenRow)),
        ("revocation-row", contract_schema::schema_for!(RevocationRow)),
        ("principal", contract_schema::schema_for!(Principal)),
    ] {
        let path = format!("{}/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        contract_schema::assert_current(path, &schema);
    }
}
