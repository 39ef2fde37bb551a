//! A plan made elsewhere is sent as a job's own is, whatever fails meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bridge_core::queue::ordering::Mode;
use bridge_core::timestamp::Timestamp;
use bridge_history::api::actions;
use bridge_history::api::start::StartRequest;
use bridge_history::job::phase::Phase;
use bridge_history::job::state::StopRequest;
use bridge_history::plan::elsewhere::place::Elsewhere;
use bridge_history::plan::store::PlanStore;
use bridge_history::scan::filter::Events;
use bridge_sim::bucket::{Bucket, STYLE};
use bridge_sim::delivered;
use bridge_sim::faults::Faults;
use bridge_sim::scenario::draw::bucket;
use bridge_sim::scenario::{config, on_simulated_time, start};
use bridge_sim::store::SimPlans;
use bridge_sim::world::{CALM, FaultProfile, World};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_hours(24);

/// One folder.
struct Folder(Arc<SimPlans>);

impl Elsewhere for Folder {
    fn open(&self, folder: &str) -> Option<Arc<dyn PlanStore>> {
        (folder == "s3://plans/ledger").then(|| Arc::clone(&self.0) as Arc<dyn PlanStore>)
    }
}

fn asked() -> StartRequest {
    StartRequest {
        plan: Some("s3://plans/ledger/manifest.json".to_owned()),
        ..StartRequest::default()
    }
}

/// The plan that a dry run makes of a bucket, as somebody else would have made it.
async fn made(bucket: &Arc<Bucket>, seed: u64, faults: Arc<Faults>) -> Arc<SimPlans> {
    let mut world = World::new(Arc::clone(bucket), STYLE, CALM, Mode::Strict, seed);
    world.settings.scan.memory_budget = 64 * 1024; // several runs that overlap
    let dry = StartRequest {
        dry_run: true,
        ..StartRequest::default()
    };
    let job = start(&world, &dry).await;
    assert!(world.turn(LIMIT).await);
    let job = actions::find(&world.ports, &job.job_id).await.unwrap();
    let plan = Arc::new(SimPlans::new(faults));
    let mut objects = world.plans.objects();
    let own = objects.remove(&job.manifest.unwrap()).unwrap();
    let mut manifest: Value = serde_json::from_slice(&own).unwrap();
    let fields = manifest.as_object_mut().unwrap();
    fields.retain(|name, _| ["version", "bucket", "runs", "summary"].contains(&name.as_str()));
    for (number, run) in manifest["runs"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        let name = run["name"].as_str().unwrap().to_owned();
        run["name"] = json!(format!("runs/{number:05}.parquet"));
        let file = objects[&name].clone();
        plan.objects()
            .insert(run["name"].as_str().unwrap().to_owned(), file);
    }
    plan.objects()
        .insert("manifest.json".to_owned(), manifest.to_string().into());
    plan
}

/// A world that has no bucket, but a plan of one.
fn world(plan: &Arc<SimPlans>, profile: FaultProfile, seed: u64) -> World {
    let nothing = Arc::new(Bucket::default());
    let mut world = World::new(nothing, STYLE, profile, Mode::Strict, seed);
    world.ports.elsewhere = Some(Arc::new(Folder(Arc::clone(plan))));
    world.settings.scan.memory_budget = 64 * 1024;
    world.settings.scan.commit_every = Duration::from_secs(1);
    world
}

#[test]
fn whatever_fails_all_of_it_arrives_in_order() {
    for seed in 0..12 {
        let bucket = bucket(&mut fastrand::Rng::with_seed(seed), 800);
        on_simulated_time(async {
            let faults = Arc::new(Faults::new(seed, if seed == 0 { 0 } else { 30 }));
            let plan = made(&bucket, seed, faults).await;
            let profile = FaultProfile {
                faults_per_mille: if seed == 0 { 0 } else { 30 },
                killed_of_ten: seed % 5,
                lost_of_ten: 1,
                doubled_of_ten: 2,
                segment: Duration::from_millis(1_500 + 400 * seed),
                ..CALM
            };
            let world = world(&plan, profile, seed);
            start(&world, &asked()).await;
            assert!(
                world.turn(LIMIT).await,
                "seed {seed}: {:?}",
                world.jobs.jobs()
            );
            assert_eq!(
                world.phase(),
                Phase::Done,
                "seed {seed}: {:?}",
                world.jobs.jobs()
            );
            delivered::check(&world, &bucket, false).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        });
    }
}

/// The bodies of what arrived, without what tells the jobs apart.
fn bodies(world: &World) -> Vec<Value> {
    let arrived = world.queue.arrived();
    let bodies = arrived.messages.iter().map(|(_, message)| {
        let mut body: Value = serde_json::from_str(&message.body).unwrap();
        body.as_object_mut().unwrap().remove("jobId");
        body
    });
    bodies.collect()
}

#[test]
fn filters_give_the_same_events_as_of_the_bucket() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(5), 600);
    let history = bucket.history();
    let at = |part: usize| Some(history[history.len() * part / 4].0.effective_time);
    let prefix: String = history[0].0.key.chars().take(1).collect();
    let with = |change: &dyn Fn(&mut StartRequest)| {
        let mut request = StartRequest {
            order: Some("bucket".to_owned()),
            until: Some(Timestamp(i64::from(i32::MAX) * 1_000)),
            ..StartRequest::default()
        };
        change(&mut request);
        request
    };
    for request in [
        with(&|_| {}),
        with(&|r| r.prefix = Some(prefix.clone())),
        with(&|r| (r.from, r.until) = (at(1), at(3))),
        with(&|r| r.events = Events::Removed),
        with(&|r| r.current_only = true),
        with(&|r| (r.current_only, r.until) = (true, at(2))),
        with(&|r| (r.current_only, r.from, r.until) = (true, at(1), at(3))),
    ] {
        on_simulated_time(async {
            let own = World::new(Arc::clone(&bucket), STYLE, CALM, Mode::Strict, 5);
            start(&own, &request).await;
            assert!(own.turn(LIMIT).await);
            let plan = made(&bucket, 5, Arc::new(Faults::new(5, 0))).await;
            let world = world(&plan, CALM, 5);
            let of_plan = StartRequest {
                plan: asked().plan,
                ..request.clone()
            };
            start(&world, &of_plan).await;
            assert!(world.turn(LIMIT).await);
            assert_eq!(world.phase(), Phase::Done);
            assert_eq!(bodies(&world), bodies(&own), "{request:?}");
            assert!(!bodies(&world).is_empty(), "{request:?}");
        });
    }
}

#[test]
fn a_plan_that_was_replaced_is_refused_and_nothing_is_sent_of_it() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(6), 300);
    on_simulated_time(async {
        let plan = made(&bucket, 6, Arc::new(Faults::new(6, 0))).await;
        let world = world(&plan, CALM, 6);
        let job = start(&world, &asked()).await;
        {
            let mut objects = plan.objects();
            let mut manifest: Value = serde_json::from_slice(&objects["manifest.json"]).unwrap();
            manifest["madeBy"] = json!("somebody else");
            objects.insert("manifest.json".to_owned(), manifest.to_string().into());
        }
        assert!(world.turn(LIMIT).await);
        let job = actions::find(&world.ports, &job.job_id).await.unwrap();
        assert_eq!(job.phase, Phase::Failed);
        let error = job.last_error.unwrap();
        for part in [
            "s3://plans/ledger/manifest.json",
            "replaced",
            "start another job",
        ] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        assert!(bodies(&world).is_empty());
    });
}

#[test]
fn what_is_wrong_is_refused_at_the_start() {
    let bucket = bucket(&mut fastrand::Rng::with_seed(7), 300);
    on_simulated_time(async {
        let plan = made(&bucket, 7, Arc::new(Faults::new(7, 0))).await;
        let world = world(&plan, CALM, 7);
        let refused = async |request: &StartRequest| {
            let error = actions::start(&world.ports, &config(), request).await;
            error.unwrap_err().to_string()
        };
        let mut there = asked();
        there.plan = Some("s3://other/manifest.json".to_owned());
        let error = refused(&there).await;
        assert!(error.contains("s3://other/manifest.json"), "{error}");
        let file = plan.objects().remove("runs/00000.parquet").unwrap();
        let error = refused(&asked()).await;
        assert!(error.contains("runs/00000.parquet"), "{error}");
        plan.objects().insert(
            "runs/00000.parquet".to_owned(),
            file.slice(..file.len() - 1),
        );
        let error = refused(&asked()).await;
        assert!(
            error.contains("size is not what the manifest says"),
            "{error}"
        );
        plan.objects().insert("runs/00000.parquet".to_owned(), file);
        let mut another = config();
        another.bucket = "other".to_owned();
        let error = actions::start(&world.ports, &another, &asked())
            .await
            .unwrap_err()
            .to_string();
        for part in ["plan", "\"ledger\"", "\"other\""] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        // Twice the same is one job; of a plan that has changed it is another.
        let one = actions::start(&world.ports, &config(), &asked())
            .await
            .unwrap();
        let same = actions::start(&world.ports, &config(), &asked())
            .await
            .unwrap();
        assert_eq!(one.job_id, same.job_id);
        let cancel = actions::request_stop(&world.ports, &one.job_id, StopRequest::Cancel).await;
        assert_eq!(cancel.unwrap().phase, Phase::Cancelled);
    });
}
