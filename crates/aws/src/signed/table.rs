//! Items of the live table: what ports `LiveStore`, `KeyStore` and `StreamStore` ask `DynamoDB` for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bridge_core::live::store::LiveStoreError;
use serde::{Deserialize, Serialize};

use crate::request_error::RequestError;
use crate::signed::ServiceClient;
use crate::signed::answer::parse;

/// The attributes of an item.
pub(crate) type Item = HashMap<String, Value>;

/// An attribute's value: of the types that these items have one, of others none.
/// Source: Amazon `DynamoDB` API Reference, "`AttributeValue`".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) struct Value {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bool: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ss: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) l: Option<Vec<Value>>,
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            s: Some(text.into()),
            ..Self::default()
        }
    }

    pub(crate) fn number(number: impl ToString) -> Self {
        Self {
            n: Some(number.to_string()),
            ..Self::default()
        }
    }

    pub(crate) fn yes() -> Self {
        Self {
            bool: Some(true),
            ..Self::default()
        }
    }

    pub(crate) fn set(texts: Vec<String>) -> Self {
        Self {
            ss: Some(texts),
            ..Self::default()
        }
    }

    pub(crate) fn list(texts: &[String]) -> Self {
        Self {
            l: Some(texts.iter().map(Self::text).collect()),
            ..Self::default()
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        let list = self.l.iter().flatten();
        list.filter_map(|one| one.s.as_ref())
    }
}

/// An update of one item.
/// Source: Amazon `DynamoDB` API Reference, "`UpdateItem`".
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Update<'a> {
    table_name: &'a str,
    key: Key,
    #[serde(rename = "UpdateExpression")]
    expression: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    expression_attribute_names: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    expression_attribute_values: BTreeMap<&'a str, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_values: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Key {
    id: Value,
}

impl<'a> Update<'a> {
    /// Only where this holds.
    pub(crate) fn only_if(mut self, condition: &'a str) -> Self {
        self.condition_expression = Some(condition);
        self
    }

    /// What `name` in an expression stands for: an attribute whose own name is a word of the language.
    pub(crate) fn name(mut self, name: &'a str, attribute: &'a str) -> Self {
        self.expression_attribute_names.insert(name, attribute);
        self
    }

    /// What `name` in an expression stands for.
    pub(crate) fn value(mut self, name: &'a str, value: Value) -> Self {
        self.expression_attribute_values.insert(name, value);
        self
    }

    /// Answers the item as it was before.
    pub(crate) fn answer_before(mut self) -> Self {
        self.return_values = Some("ALL_OLD");
        self
    }

    /// Answers the item as it is then.
    pub(crate) fn answer_after(mut self) -> Self {
        self.return_values = Some("ALL_NEW");
        self
    }
}

/// What an update came to.
#[derive(Debug)]
pub(crate) enum Written {
    /// It went through: the item, if it was asked for and there is one.
    Through(Item),
    /// Its condition does not hold.
    Refused,
}

impl Written {
    /// The item.
    ///
    /// # Errors
    /// [`LiveStoreError::Held`]
    pub(crate) fn or_held(self) -> Result<Item, LiveStoreError> {
        match self {
            Self::Through(item) => Ok(item),
            Self::Refused => Err(LiveStoreError::Held),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Get<'a> {
    table_name: &'a str,
    key: Key,
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    #[serde(default)]
    item: Option<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Updated {
    #[serde(default)]
    attributes: Option<Item>,
}

/// A table whose partition key is the text `id`.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: Arc<ServiceClient>,
    name: String,
    /// What of it is read and written, as errors name it.
    called: String,
}

impl Table {
    /// The table of this name, by a client of [`crate::signed::service::DYNAMODB`]; `part` says what of it is read
    /// and written, if not all: "the stream of ".
    pub(crate) fn new(client: Arc<ServiceClient>, name: String, part: &str) -> Self {
        let called = format!("{part}table {name}");
        Self {
            client,
            name,
            called,
        }
    }

    /// How errors name it.
    pub(crate) fn called(&self) -> &str {
        &self.called
    }

    /// An update of the item `id`, to be completed.
    pub(crate) fn update<'a>(&'a self, id: impl Into<String>, expression: &'a str) -> Update<'a> {
        Update {
            table_name: &self.name,
            key: Key {
                id: Value::text(id),
            },
            expression,
            condition_expression: None,
            expression_attribute_names: BTreeMap::new(),
            expression_attribute_values: BTreeMap::new(),
            return_values: None,
        }
    }

    /// Sends an update.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    pub(crate) async fn write(&self, update: Update<'_>) -> Result<Written, LiveStoreError> {
        let updated: Result<Updated, _> = self.ask("UpdateItem", &update).await;
        match updated {
            Ok(updated) => Ok(Written::Through(updated.attributes.unwrap_or_default())),
            Err(fault) if fault.code == "ConditionalCheckFailedException" => Ok(Written::Refused),
            Err(fault) => Err(self.error("updating", &fault)),
        }
    }

    /// The item `id`, as the last write has left it; empty where there is none.
    ///
    /// # Errors
    /// [`LiveStoreError::Store`]
    pub(crate) async fn read(&self, id: &str) -> Result<Item, LiveStoreError> {
        let get = Get {
            table_name: &self.name,
            key: Key {
                id: Value::text(id),
            },
            consistent_read: true,
        };
        let got: Result<Got, _> = self.ask("GetItem", &get).await;
        let got = got.map_err(|fault| self.error("reading", &fault))?;
        Ok(got.item.unwrap_or_default())
    }

    async fn ask<T>(&self, operation: &str, asked: &impl Serialize) -> Result<T, RequestError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let body = serde_json::to_vec(asked).expect("texts can always be written");
        let answer = self.client.call(operation, body.into()).await?;
        parse(&answer)
    }

    fn error(&self, doing: &str, fault: &RequestError) -> LiveStoreError {
        LiveStoreError::Store {
            reason: format!("{doing} {}: {fault}", self.called),
            kind: fault.kind,
        }
    }
}
