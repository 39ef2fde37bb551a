//! What is fed: the readers of whatever comes from outside. Each answers whether it accepted the input.
//!
//! - `documents`: pages, notifications, requests, manifests, job files
//! - `plan`: a run
//! - `state`: a state directory
//! - `queue`: SQS's answers

mod documents;
mod plan;
mod queue;
mod state;

/// One reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As the command line calls it, and its corpus.
    pub name: &'static str,
    /// Words that its inputs have.
    pub dictionary: &'static [&'static str],
    /// Reads an input to the end.
    pub accepts: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "page",
        dictionary: documents::PAGE_WORDS,
        accepts: documents::page,
    },
    Target {
        name: "notification",
        dictionary: documents::NOTIFICATION_WORDS,
        accepts: documents::notification,
    },
    Target {
        name: "request",
        dictionary: documents::JOB_WORDS,
        accepts: documents::request,
    },
    Target {
        name: "plan",
        dictionary: &["PAR1", "\u{15}\u{4}", "\u{2c}\u{15}", "\u{19}\u{1c}"],
        accepts: plan::accepts,
    },
    Target {
        name: "manifest",
        dictionary: documents::JOB_WORDS,
        accepts: documents::manifest,
    },
    Target {
        name: "job",
        dictionary: documents::JOB_WORDS,
        accepts: documents::job,
    },
    Target {
        name: "state",
        dictionary: state::WORDS,
        accepts: state::accepts,
    },
    Target {
        name: "queue",
        dictionary: queue::WORDS,
        accepts: queue::accepts,
    },
];

/// Runs futures of one thread; nothing waits for anything real.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only memory")
        .block_on(future)
}
