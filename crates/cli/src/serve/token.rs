//! Who may hand something over: whoever knows the token.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq as _;

/// A secret that requests carry as `Authorization: Bearer …`, as `MinIO` sends its webhook's `auth_token`.
pub(crate) struct Token(String);

impl Token {
    /// This one.
    pub(crate) fn new(token: String) -> Self {
        Self(token)
    }

    /// Whether a request carries it. How long that takes tells no more than how long the token is.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let Some((scheme, token)) = given.and_then(|value| value.split_at_checked(7)) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(token.ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_behind_its_scheme_lets_in() {
        let token = Token::new("a-token-of-some-size-x1".to_owned());
        let is_in = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            token.is_in(&headers)
        };
        assert!(is_in("Bearer a-token-of-some-size-x1"));
        assert!(is_in("bearer a-token-of-some-size-x1"));
        for wrong in [
            "",
            "Bearer ",
            "Bearer",
            "a-token-of-some-size-x1",
            "Basic a-token-of-some-size-x1",
            "Bearer a-token-of-some-size-x",
            "Bearer a-token-of-some-size-x12",
            "Bearer a-token-of-some-size-X1",
        ] {
            assert!(!is_in(wrong), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }
}
