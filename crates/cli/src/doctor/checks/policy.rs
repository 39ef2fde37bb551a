//! Whom a resource's own policy lets do something: a queue's, a function's, a key's.
//! Source: IAM User Guide, "AWS JSON policy elements: Principal"; AWS KMS Developer Guide, "Key policies in AWS KMS".

use serde_json::Value;

/// What sending to an encrypted queue, and reading from it, takes.
/// Source: Amazon SQS Developer Guide, "Key management", "Configuring AWS KMS permissions".
const NEEDED: [&str; 2] = ["kms:GenerateDataKey", "kms:Decrypt"];

/// Who is to do it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    /// A role by its ARN, named itself.
    Role(&'a str),
    /// The account of that role: then its own policies let it.
    AccountOf(&'a str),
    /// A service of AWS.
    Service(&'a str),
}

/// Whether a policy allows a service anything. What, the template's tests look at.
pub(super) fn lets_in(document: &str, service: &str) -> bool {
    let document = read(document);
    let mut allows = list(&document["Statement"])
        .iter()
        .filter(|one| one["Effect"] == "Allow");
    allows.any(|statement| Who::Service(service).is_in(&statement["Principal"]))
}

/// Whether a key's policy lets them use it. Conditions are not weighed: a statement that allows counts with them, one
/// that denies without them.
pub(super) fn lets_use(document: &str, who: Who<'_>) -> bool {
    let document = read(document);
    let statements = list(&document["Statement"]);
    NEEDED.iter().all(|action| {
        let is_about = |statement: &&Value| {
            let actions = list(&statement["Action"]);
            let mut actions = actions.iter().filter_map(Value::as_str);
            actions.any(|pattern| covers(pattern, action)) && who.is_in(&statement["Principal"])
        };
        let mut about = statements.iter().filter(is_about);
        let is_denied = |statement: &Value| {
            statement["Effect"] == "Deny" && statement.get("Condition").is_none()
        };
        let is_allowed = about
            .clone()
            .any(|statement| statement["Effect"] == "Allow");
        is_allowed && !about.any(is_denied)
    })
}

/// A policy; one that cannot be read has no statement.
fn read(document: &str) -> Value {
    serde_json::from_str(document).unwrap_or_default()
}

impl Who<'_> {
    fn is_in(self, principal: &Value) -> bool {
        let (kind, is_named): (_, &dyn Fn(&str) -> bool) = match &self {
            Self::Service(service) => ("Service", &|name| name == *service),
            Self::Role(role) => ("AWS", &|name| name == *role || name == "*"),
            Self::AccountOf(role) => ("AWS", &|name| {
                let account = |arn: &str| arn.split(':').nth(4).map(ToOwned::to_owned);
                let of_role = account(role);
                let is_root = name.ends_with(":root") && account(name) == of_role;
                is_root || of_role.as_deref() == Some(name)
            }),
        };
        if principal == "*" {
            return kind == "AWS";
        }
        let named = list(&principal[kind]);
        named.iter().filter_map(Value::as_str).any(is_named)
    }
}

/// One of something, or a list.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// Whether an action, or all that begin so, is this one. Case does not count.
fn covers(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => action
            .get(..begin.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(begin)),
        None => pattern.eq_ignore_ascii_case(action),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_may_use_a_key_is_read_from_its_policy() {
        let role = "arn:aws:iam::111111111111:role/s-realtime";
        let root = "arn:aws:iam::111111111111:root";
        let (of_role, of_account) = (Who::Role(role), Who::AccountOf(role));
        let s3 = Who::Service("s3.amazonaws.com");
        let allow = |principal: Value, actions: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*" });
        let needed = json!(["kms:Decrypt", "kms:GenerateDataKey*"]);
        let of_s3 = json!({ "Service": ["events.amazonaws.com", "s3.amazonaws.com"] });
        let deny = |more: Value| {
            let mut deny = allow(json!("*"), json!("kms:Decrypt"));
            deny["Effect"] = json!("Deny");
            deny["Condition"] = more;
            deny
        };
        for (who, statements, expected) in [
            (
                of_account,
                json!([allow(json!({ "AWS": root }), json!("kms:*"))]),
                true,
            ),
            (
                of_account,
                json!([allow(json!({ "AWS": "111111111111" }), json!("kms:*"))]),
                true,
            ),
            (
                of_role,
                json!([allow(json!({ "AWS": root }), json!("kms:*"))]),
                false,
            ),
            (
                of_role,
                json!([allow(json!({ "AWS": [role, "x"] }), needed.clone())]),
                true,
            ),
            (of_role, json!(allow(json!("*"), json!("*"))), true),
            (
                of_role,
                json!([allow(json!({ "AWS": role }), json!("kms:Decrypt"))]),
                false,
            ),
            (s3, json!([allow(of_s3.clone(), needed.clone())]), true),
            (s3, json!([allow(json!("*"), needed.clone())]), false),
            (
                s3,
                json!([allow(of_s3, json!(["kms:Decrypt", "kms:GenerateMac"]))]),
                false,
            ),
            (
                of_role,
                json!([
                    allow(json!({ "AWS": role }), needed.clone()),
                    deny(json!({ "Bool": {} }))
                ]),
                true,
            ),
            (of_role, json!([]), false),
        ] {
            let document = json!({ "Statement": statements }).to_string();
            assert_eq!(lets_use(&document, who), expected, "{who:?} {document}");
        }
        let mut denied = deny(json!({}));
        denied.as_object_mut().unwrap().remove("Condition");
        let document = json!({ "Statement": [allow(json!({ "AWS": role }), needed), denied] });
        assert!(!lets_use(&document.to_string(), of_role));
        assert!(!lets_use("", of_role));
    }

    #[test]
    fn a_policy_lets_in_whom_it_allows() {
        let s3 = "s3.amazonaws.com";
        for (document, is_in) in [
            (
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"}}]}"#,
                true,
            ),
            (
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":["x","s3.amazonaws.com"]}}}"#,
                true,
            ),
            (
                r#"{"Statement":[{"Effect":"Deny","Principal":{"Service":"s3.amazonaws.com"}}]}"#,
                false,
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Principal":"*"}]}"#,
                false,
            ),
            ("", false),
        ] {
            assert_eq!(lets_in(document, s3), is_in, "{document}");
        }
    }
}
