//! What is read of the job table, however many jobs it holds, and how many may be at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bridge_core::queue::ordering::Mode;
use bridge_history::api::list::list;
use bridge_history::api::start::StartRequest;
use bridge_history::api::{actions, list};
use bridge_history::id::JobId;
use bridge_history::job::error::JobStoreError;
use bridge_history::job::phase::Phase;
use bridge_history::job::place::Place;
use bridge_history::job::ports::Ports;
use bridge_history::job::state::{Job, Revision, StopRequest};
use bridge_history::job::store::JobStore;
use bridge_history::job::sweep::sweep;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::scenario::{config, on_simulated_time};
use bridge_sim::store::INDEX_LAG;
use bridge_sim::world::{BEGIN, CALM, World};
use tokio::time::sleep;

/// Counts what is read.
struct Counted {
    jobs: Arc<dyn JobStore>,
    loads: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl JobStore for Counted {
    async fn create(&self, job: &Job) -> Result<(), JobStoreError> {
        self.jobs.create(job).await
    }

    async fn load(&self, job_id: &JobId) -> Result<Option<Job>, JobStoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.jobs.load(job_id).await
    }

    async fn replace(&self, job: &Job, expected: Revision) -> Result<(), JobStoreError> {
        self.jobs.replace(job, expected).await
    }

    async fn active(&self) -> Result<Vec<JobId>, JobStoreError> {
        self.jobs.active().await
    }

    async fn newest(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, JobStoreError> {
        self.most.fetch_max(most, Ordering::Relaxed);
        self.jobs.newest(after, most).await
    }
}

fn world() -> World {
    World::new(Arc::new(Bucket::default()), STYLE, CALM, Mode::Strict, 21)
}

/// The world's ports, and what is read through them.
fn counted(world: &World) -> (Ports, Arc<Counted>) {
    let counted = Arc::new(Counted {
        jobs: Arc::clone(&world.ports.jobs),
        loads: AtomicUsize::default(),
        most: AtomicUsize::default(),
    });
    let ports = Ports {
        jobs: Arc::clone(&counted) as Arc<dyn JobStore>,
        ..world.ports.clone()
    };
    (ports, counted)
}

fn of_prefix(number: usize) -> StartRequest {
    StartRequest {
        prefix: Some(format!("{number}/")),
        ..StartRequest::default()
    }
}

/// A job that has ended, as the first one that was asked for so.
fn ended(number: usize) -> Job {
    let options = of_prefix(number).resolve(&config().common, BEGIN).unwrap();
    let at = BEGIN + Duration::from_millis(u64::try_from(number).unwrap());
    let id = format!("20240101-{number:08x}-1");
    let mut job = Job::new(
        JobId::stored(id),
        "ledger",
        options,
        format!("{number:08x}"),
        at,
    );
    job.end_as(Phase::Done, at);
    job
}

#[test]
fn ten_thousand_ended_jobs_are_not_read_by_who_looks_for_those_at_work() {
    on_simulated_time(async {
        let world = world();
        for number in 0..10_000 {
            world.ports.jobs.create(&ended(number)).await.unwrap();
        }
        for number in 0..3 {
            let started = actions::start(&world.ports, &config(), &of_prefix(number)).await;
            started.unwrap();
        }
        sleep(Duration::from_mins(1)).await; // nobody works on them
        let (ports, counted) = counted(&world);
        assert_eq!(sweep(&ports).await.unwrap().len(), 3);
        assert_eq!(counted.loads.swap(0, Ordering::Relaxed), 3, "by the sweep");
        actions::start(&ports, &config(), &of_prefix(7))
            .await
            .unwrap();
        assert_eq!(counted.loads.swap(0, Ordering::Relaxed), 1, "by a start");
        let page = list(&ports, None, list::PAGE).await.unwrap();
        assert_eq!((page.jobs.len(), page.next.is_some()), (50, true));
        let loads = counted.loads.swap(0, Ordering::Relaxed);
        assert_eq!((loads, counted.most.load(Ordering::Relaxed)), (50, 51));
    });
}

#[test]
fn pages_in_a_row_tell_every_job_once_the_newest_first() {
    on_simulated_time(async {
        let world = world();
        for number in 0..230 {
            world.ports.jobs.create(&ended(number)).await.unwrap();
        }
        sleep(INDEX_LAG).await;
        let (mut told, mut next, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = list(&world.ports, next.as_ref(), 50).await.unwrap();
            told.extend(page.jobs.into_iter().map(|job| job.created_at.0 - BEGIN.0));
            pages += 1;
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!((told, pages), ((0..230).rev().collect(), 5));
    });
}

/// Jobs from before there were bounds.
#[test]
fn a_page_of_long_jobs_ends_before_the_answer_is_too_long_for_lambda() {
    on_simulated_time(async {
        let world = world();
        for number in 0..50 {
            let mut job = ended(number);
            job.options.filter.prefix = "p".repeat(380_000);
            world.ports.jobs.create(&job).await.unwrap();
        }
        sleep(INDEX_LAG).await;
        let page = list(&world.ports, None, 50).await.unwrap();
        let bytes: usize = page
            .jobs
            .iter()
            .map(|j| j.options.filter.prefix.len())
            .sum();
        assert!(bytes < 2_000_000, "{bytes} bytes");
        let last = page.jobs.last().map(Place::of);
        assert!(last.is_some() && page.next == last, "{:?}", page.next);
    });
}

#[test]
fn a_start_in_the_moment_before_the_index_knows_of_the_first_is_the_same_job() {
    on_simulated_time(async {
        let world = world();
        let first = actions::start(&world.ports, &config(), &of_prefix(1)).await;
        assert!(world.ports.jobs.active().await.unwrap().is_empty());
        let again = actions::start(&world.ports, &config(), &of_prefix(1)).await;
        assert_eq!(again.unwrap().job_id, first.unwrap().job_id);
    });
}

#[test]
fn the_number_of_a_job_is_found_in_few_reads_however_many_there_were() {
    on_simulated_time(async {
        let world = world();
        let (ports, counted) = counted(&world);
        for number in 1..200 {
            let job = actions::start(&ports, &config(), &of_prefix(1))
                .await
                .unwrap();
            assert!(
                job.job_id.as_str().ends_with(&format!("-{number}")),
                "{}",
                job.job_id
            );
            counted.loads.store(0, Ordering::Relaxed);
            let cancelled = actions::request_stop(&ports, &job.job_id, StopRequest::Cancel).await;
            assert_eq!(cancelled.unwrap().phase, Phase::Cancelled);
        }
        counted.loads.store(0, Ordering::Relaxed);
        actions::start(&ports, &config(), &of_prefix(1))
            .await
            .unwrap();
        let loads = counted.loads.load(Ordering::Relaxed);
        assert!(loads < 20, "{loads} reads");
    });
}

#[test]
fn jobs_that_were_paused_do_not_make_room_for_more_than_may_be_at_work() {
    on_simulated_time(async {
        let world = world();
        let ports = &world.ports;
        let paused = actions::start(ports, &config(), &of_prefix(0))
            .await
            .unwrap();
        let stopped = actions::request_stop(ports, &paused.job_id, StopRequest::Pause).await;
        assert_eq!(stopped.unwrap().phase, Phase::Paused);
        for number in 1..=100 {
            sleep(Duration::from_secs(1)).await;
            actions::start(ports, &config(), &of_prefix(number))
                .await
                .unwrap();
        }
        sleep(INDEX_LAG).await;
        let refused = actions::resume(ports, &paused.job_id, None)
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("100 jobs are at work"),
            "{refused}"
        );
        assert_eq!(
            ports
                .jobs
                .load(&paused.job_id)
                .await
                .unwrap()
                .unwrap()
                .phase,
            Phase::Paused
        );
    });
}
