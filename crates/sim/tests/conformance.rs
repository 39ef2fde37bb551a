//! The suites of `conformance` against the simulated and the local adapters. The AWS adapters are in
//! `tests/tests/conformance.rs`.

use std::sync::Arc;

use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::job::ports::Queues as _;
use bridge_local::jobs::LocalJobs;
use bridge_local::live::stream::LocalStream;
use bridge_local::live::table::LocalLive;
use bridge_local::plans::LocalPlans;
use bridge_sim::bucket::{Bucket, STYLE, SimLister, Style};
use bridge_sim::conformance;
use bridge_sim::faults::Faults;
use bridge_sim::live::{SimKeys, SimLive};
use bridge_sim::queue::{Rules, SimQueue};
use bridge_sim::queues::OneQueue;
use bridge_sim::scenario::on_simulated_time;
use bridge_sim::store::{SimJobs, SimPlans};
use bridge_sim::stream::SimStream;
use bridge_sim::world::SimClock;

fn calm() -> Arc<Faults> {
    Arc::new(Faults::new(1, 0))
}

#[test]
fn plan_stores() {
    on_simulated_time(conformance::plan_store(&SimPlans::new(calm()), "jobs/a"));
    let folder = tempfile::tempdir().unwrap();
    let local = LocalPlans::new(folder.path().to_owned());
    on_simulated_time(conformance::plan_store(&local, "jobs/a"));
}

#[test]
fn job_stores() {
    on_simulated_time(conformance::job_store(Arc::new(SimJobs::new(calm())), "a"));
    let folder = tempfile::tempdir().unwrap();
    let local = LocalJobs::new(folder.path().to_owned());
    on_simulated_time(conformance::job_store(Arc::new(local), "a"));
}

#[test]
fn live_stores() {
    on_simulated_time(conformance::live_store(&SimLive::new(calm()), "a"));
    on_simulated_time(conformance::key_store(&SimKeys::new(calm()), "a"));
    let folder = tempfile::tempdir().unwrap();
    let local = LocalLive::open(folder.path()).unwrap();
    on_simulated_time(conformance::live_store(&local, "a"));
    on_simulated_time(conformance::key_store(&local, "b"));
}

#[test]
fn stream_stores() {
    on_simulated_time(conformance::stream_store(&SimStream::new(calm())));
    let folder = tempfile::tempdir().unwrap();
    let local = LocalStream::new(LocalLive::open(folder.path()).unwrap());
    on_simulated_time(conformance::stream_store(&local));
}

#[test]
fn queues() {
    on_simulated_time(async {
        let rules = Rules {
            mode: Mode::Strict,
            window: 1000,
            max_message_bytes: 4096,
        };
        let clock = Arc::new(SimClock::default());
        let queue = Arc::new(SimQueue::new(calm(), clock, rules));
        let read = async |_| {
            let arrived = queue.arrived();
            arrived
                .messages
                .iter()
                .map(|(_, m)| m.body.clone())
                .collect()
        };
        let port = OneQueue(Arc::clone(&queue)).open("");
        conformance::fifo_queue(&*port, read).await;
    });
}

#[test]
fn listers() {
    for style in [
        Style {
            page_size: 3,
            ..STYLE
        },
        Style {
            page_size: 4,
            url_encoded: false,
            markers_apart: true,
            ..STYLE
        },
    ] {
        let mut bucket = Bucket::default();
        for second in 0..3 {
            for key in ["list/a b", "list/a+b", "list/ü&<>", "list/z", "other"] {
                bucket.put(key, Timestamp(second * 1000));
            }
            bucket.delete("list/z", Timestamp(second * 1000));
        }
        let mut expected: Vec<_> = bucket
            .history()
            .into_iter()
            .rev()
            .map(|(_, version)| (version.key, version.version_id))
            .filter(|(key, _)| key.starts_with("list/"))
            .collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0)); // stable: newest first
        let lister = SimLister::new(Arc::new(bucket), style, calm());
        on_simulated_time(conformance::lister(&lister, "list/", &expected));
    }
}
