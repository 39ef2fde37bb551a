//! What AWS answered about a stack. No I/O.

use std::collections::BTreeMap;

use bridge_core::timestamp::Timestamp;
use bridge_core::watched::NoAnswer;
use serde_json::Value;

use crate::doctor::metrics::Metrics;
use crate::function::Unanswered;
use crate::stack::Stack;

/// What was asked for, or why it was not answered.
pub(super) type Answer<T> = Result<T, NoAnswer>;

/// A queue's attributes, by SQS's names.
pub(super) type Attributes = BTreeMap<String, String>;

/// All that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Now.
    pub(super) now: Timestamp,
    /// Outputs and parameters.
    pub(super) stack: Stack,
    /// The queue that events go to.
    pub(super) queue: Answer<Attributes>,
    /// Its dead-letter queue, where the stack has made it.
    pub(super) dead_letters: Option<Answer<Attributes>>,
    /// What waits for realtime.
    pub(super) buffer: Answer<Attributes>,
    /// What could not be delivered.
    pub(super) on_failure: Answer<Attributes>,
    /// The function that forwards.
    pub(super) realtime: Function,
    /// The function that replays.
    pub(super) reseed: Function,
    /// Whether reseed's health was asked to write.
    pub(super) has_written: bool,
    /// Where realtime's failures go, an ARN; empty for nowhere.
    pub(super) destination: Answer<String>,
    /// What realtime is invoked from.
    pub(super) mappings: Answer<Vec<Mapping>>,
    /// What reseed is invoked from: the stream of the table of jobs.
    pub(super) streams: Answer<Vec<Mapping>>,
    /// Who may invoke realtime: the function's policy as a document; empty for nobody.
    pub(super) invokers: Answer<String>,
    /// The rule that hands over an existing bucket's changes.
    pub(super) rule: Option<Answer<Rule>>,
    /// What continues jobs whose segment died.
    pub(super) schedule: Answer<Schedule>,
    /// The second queue that a reseed may go to, if the stack names one.
    pub(super) replay: Option<Replay>,
    /// The keys that are not AWS's own, as the stack and its queues name them.
    pub(super) keys: BTreeMap<String, Answer<Key>>,
    /// The last hour.
    pub(super) metrics: Answer<Metrics>,
}

impl Facts {
    /// Whether changes wait in the buffer before they are forwarded.
    pub(super) fn is_buffered(&self) -> bool {
        self.stack.parameter("Ingestion") == "buffered"
    }

    /// Whether the bucket is not of this stack.
    pub(super) fn is_of_others(&self) -> bool {
        !self.stack.parameter("ExistingBucket").is_empty()
    }

    /// Whether the queue is of this stack.
    pub(super) fn has_own_queue(&self) -> bool {
        self.dead_letters.is_some()
    }
}

/// A function.
#[derive(Debug, Clone)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// How it is set up.
    pub(super) configuration: Answer<Configuration>,
    /// What it says of itself.
    pub(super) health: Result<Value, Unanswered>,
}

/// How a function is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Seconds an invocation may take.
    pub(super) timeout: u64,
    /// `x86_64` or `arm64`.
    pub(super) architecture: String,
    /// `Active` …
    pub(super) state: String,
    /// `Successful` …
    pub(super) last_update: String,
    /// Its environment.
    pub(super) variables: BTreeMap<String, String>,
}

/// An event source mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Its id.
    pub(super) id: String,
    /// The ARN of its queue or stream.
    pub(super) source: String,
    /// `Enabled` …
    pub(super) state: String,
    /// Seconds that a batch may be waited for.
    pub(super) window: u64,
    /// Whether messages of a batch fail one by one.
    pub(super) reports_failures: bool,
}

/// A rule of `EventBridge`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its name.
    pub(super) name: String,
    /// `ENABLED` or `DISABLED`.
    pub(super) state: String,
    /// Which events it takes.
    pub(super) pattern: String,
    /// Whom it hands them to, ARNs.
    pub(super) targets: Vec<String>,
}

/// A second queue, for replays.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    /// Where it is.
    pub(super) url: String,
    /// What it says of itself.
    pub(super) queue: Answer<Attributes>,
    /// What reseed says when it is asked about it.
    pub(super) health: Result<Value, Unanswered>,
}

/// A schedule of `EventBridge`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    /// `ENABLED` or `DISABLED`.
    pub(super) state: String,
    /// `rate(1 minute)` …
    pub(super) expression: String,
    /// Whom it invokes, an ARN.
    pub(super) target: String,
    /// With what.
    pub(super) input: String,
}

/// A key of KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its ARN, also where an alias was asked for.
    pub(super) arn: String,
    /// `Enabled` …
    pub(super) state: String,
    /// Who may use it, as a document.
    pub(super) policy: Answer<String>,
}
