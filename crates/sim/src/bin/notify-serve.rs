//! Runs `s3-sqs-bridge serve` under notifications: by a queue or by HTTP, while SQS fails on and off and the process is
//! killed and started again. Fails if a change is lost or a key's order is not kept; else tells as JSON how it went.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bridge_core::timestamp::Timestamp;
use bridge_sim::load::process::Process;
use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use bridge_sim::load::webhook::Webhook;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

const TOKEN: &str = "a-token-of-the-bench";

/// Kills are at multiples of this; an outage begins so long after each, a second before the next: they are in the middle of one.
const PERIOD: Duration = Duration::from_secs(10);
const OUT_AFTER: Duration = Duration::from_secs(9);

/// How long it may take until all has come, after the last notification.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Parser)]
struct Arguments {
    /// How the notifications come
    #[arg(long, value_enum)]
    source: Source,
    /// `LIVE_ORDER`
    #[arg(long, value_enum, default_value = "notified")]
    order: Order,
    /// Notifications a second
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// Notifications in all
    #[arg(long, default_value_t = 120_000)]
    count: u64,
    /// Different keys that they are of
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Milliseconds until SQS answers a send
    #[arg(long, default_value_t = 8)]
    send_ms: u64,
    /// Of every ten seconds, for so many milliseconds SQS takes nothing
    #[arg(long, default_value_t = 0)]
    out_ms: u64,
    /// How often the process is killed
    #[arg(long, default_value_t = 0)]
    kills: u32,
    /// Requests by HTTP at the same time
    #[arg(long, default_value_t = 256)]
    clients: usize,
    /// `--state` of the process
    #[arg(long)]
    state: PathBuf,
    /// The program
    program: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    Queue,
    Http,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Notified,
    Newest,
    Exact,
}

/// What all parts of a run share.
struct Run {
    arguments: Arguments,
    load: Arc<Load>,
    endpoint: String,
    /// Where the process listens.
    address: String,
    begin: Instant,
    refusals: AtomicU64,
    taken: AtomicU64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut load = Load::new(Synthetic {
        shape: Shape::Hashed,
        versions: 1,
        per_key: 1,
    });
    load.send_latency = Duration::from_millis(arguments.send_ms);
    let (load, endpoint) = load.listen().await?;
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let mut run = Run {
        arguments,
        load,
        endpoint,
        address: address.to_string(),
        begin: Instant::now(),
        refusals: AtomicU64::new(0),
        taken: AtomicU64::new(0),
    };
    let process = run.start()?;
    while TcpStream::connect(&run.address).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    run.begin = Instant::now();
    let run = Arc::new(run);
    let outages = tokio::spawn(Arc::clone(&run).fail_on_and_off());
    let notifying = tokio::spawn(Arc::clone(&run).notify());
    let (process, mut measured) = run.kill_now_and_then(process).await?;
    notifying.await?;
    outages.abort();
    run.load.let_sends_fail(false);
    let end = Instant::now() + PATIENCE;
    while !run.is_over() && Instant::now() < end {
        sleep(Duration::from_millis(100)).await;
    }
    measured.add(&process)?;
    println!("{}", run.told(&measured)?);
    Ok(())
}

/// What the processes took together, and the most memory of one.
#[derive(Default)]
struct Measured {
    cpu: Duration,
    peak_kib: u64,
}

impl Measured {
    fn add(&mut self, process: &Process) -> io::Result<()> {
        self.cpu += process.cpu()?;
        self.peak_kib = self.peak_kib.max(process.peak_kib()?);
        Ok(())
    }
}

impl Run {
    fn start(&self) -> io::Result<Process> {
        let Arguments { state, program, .. } = &self.arguments;
        let mut command = vec![program.clone()];
        command.extend(["serve", "--listen", &self.address, "--state"].map(PathBuf::from));
        command.push(state.clone());
        if self.arguments.source == Source::Queue {
            let url = format!("{}/1/notifications", self.endpoint);
            command.extend([PathBuf::from("--notifications-queue-url"), url.into()]);
        }
        let order = format!("{:?}", self.arguments.order).to_lowercase();
        let environment = [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("QUEUE_URL", &format!("{}/1/load.fifo", self.endpoint)),
            ("BUCKET_NAME", "ledger"),
            ("NOTIFICATIONS_TOKEN", TOKEN),
            ("LIVE_ORDER", &order),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Process::start(&command, &environment)
    }

    /// When a notification is due.
    fn due(&self, number: u64) -> Instant {
        self.begin + Duration::from_nanos(number * 1_000_000_000 / self.arguments.rate)
    }

    fn key(&self, number: u64) -> String {
        format!("accounts/{:06}.json", number % self.arguments.keys)
    }

    /// Lets changes happen and be notified, each when it is due; by HTTP until all are taken.
    async fn notify(self: Arc<Self>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let clients: Vec<_> = (0..self.arguments.clients)
            .map(|_| tokio::spawn(Arc::clone(&self).hand_over(Arc::clone(&receiver))))
            .collect();
        for number in 0..self.arguments.count {
            let left = self.due(number).saturating_duration_since(Instant::now());
            if !left.is_zero() {
                sleep(left).await;
            }
            let now = now();
            if self.arguments.order == Order::Exact {
                let (key, version) = (self.key(number), version(number));
                self.load.written().put(&key, &version, now);
            }
            let notification = self.notification(number, now);
            match self.arguments.source {
                Source::Queue => self.load.inbox().put(notification),
                // The clients live as long as there is something to do.
                Source::Http => drop(sender.send(Bytes::from(notification))),
            }
        }
        drop(sender);
        for client in clients {
            // One that panicked has not handed over what it had: that is found at the end.
            let _ = client.await;
        }
    }

    /// A client by HTTP, which goes on with the next notification when one is taken.
    async fn hand_over(self: Arc<Self>, waiting: Arc<Mutex<mpsc::UnboundedReceiver<Bytes>>>) {
        let url = format!("http://{}/notifications", self.address);
        let webhook = Webhook::new(url, TOKEN.to_owned());
        loop {
            let next = waiting.lock().await.recv().await;
            let Some(notification) = next else { return };
            let refusals = webhook.hand_over(&notification).await;
            self.refusals.fetch_add(refusals, Ordering::Relaxed);
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn fail_on_and_off(self: Arc<Self>) {
        let out = Duration::from_millis(self.arguments.out_ms);
        if out.is_zero() {
            return;
        }
        for round in 0.. {
            let from = self.begin + PERIOD * round + OUT_AFTER;
            sleep(from.saturating_duration_since(Instant::now())).await;
            self.load.let_sends_fail(true);
            sleep(out).await;
            self.load.let_sends_fail(false);
        }
    }

    /// Kills the process as often as asked, at even distances, and starts it again.
    async fn kill_now_and_then(&self, first: Process) -> io::Result<(Process, Measured)> {
        let (mut process, mut measured) = (first, Measured::default());
        let length = self.due(self.arguments.count) - self.begin;
        let kills = self.arguments.kills;
        for kill in 1..=kills {
            let periods =
                length.as_secs() * u64::from(kill) / u64::from(kills + 1) / PERIOD.as_secs();
            let at = self.begin + PERIOD * u32::try_from(periods.max(1)).unwrap_or(1);
            sleep(at.saturating_duration_since(Instant::now())).await;
            measured.add(&process)?;
            drop(process);
            process = self.start()?;
        }
        Ok((process, measured))
    }

    /// Whether nothing is under way any more and all has come that must.
    fn is_over(&self) -> bool {
        let is_taken = match self.arguments.source {
            Source::Queue => self.load.inbox().is_empty(),
            Source::Http => self.taken.load(Ordering::Relaxed) == self.arguments.count,
        };
        is_taken && self.lost() == 0
    }

    /// Changes that did not come and should have: with `newest` the last of each key, else all.
    fn lost(&self) -> u64 {
        let Arguments { count, keys, .. } = self.arguments;
        let must_come = match self.arguments.order {
            Order::Newest => count.saturating_sub(keys)..count,
            Order::Notified | Order::Exact => 0..count,
        };
        let arrivals = self.load.arrivals();
        let has_come = |number: &u64| arrivals.came.contains_key(&version(*number));
        must_come.filter(|number| !has_come(number)).count() as u64
    }

    /// Keys whose changes, each where it came first, were not in the order in which they happened.
    fn keys_out_of_order(&self) -> u64 {
        let arrivals = self.load.arrivals();
        let is_out = |versions: &Vec<String>| {
            let mut newest = None;
            let mut seen = BTreeSet::new();
            versions.iter().any(|version| {
                let is_new = seen.insert(version);
                let number: Option<u64> = version[1..].parse().ok();
                is_new && std::mem::replace(&mut newest, number) > number
            })
        };
        arrivals.of_key.values().filter(|key| is_out(key)).count() as u64
    }

    fn told(&self, measured: &Measured) -> io::Result<Value> {
        let (lost, out_of_order) = (self.lost(), self.keys_out_of_order());
        if lost > 0 {
            return Err(io::Error::other(format!("{lost} changes were lost")));
        }
        if out_of_order > 0 && self.arguments.order != Order::Notified {
            return Err(io::Error::other(format!("{out_of_order} keys went back")));
        }
        let arrivals = self.load.arrivals();
        let count = self.arguments.count;
        let came = (0..count).filter_map(|number| {
            let came = *arrivals.came.get(&version(number))?;
            Some((came, came.saturating_duration_since(self.due(number))))
        });
        let (came, mut latencies): (Vec<Instant>, Vec<Duration>) = came.unzip();
        latencies.sort_unstable();
        let took = came
            .iter()
            .max()
            .map_or(Duration::ZERO, |last| *last - self.begin);
        let quantile = |part: usize| {
            let place = latencies.len() * part / 1000;
            let found = latencies.get(place.min(latencies.len().saturating_sub(1)));
            milliseconds(found.copied().unwrap_or_default())
        };
        let distinct = arrivals.came.len() as u64;
        Ok(json!({
            "notifications": count, "distinct": distinct, "repeated": arrivals.messages - distinct,
            "keysOutOfOrder": out_of_order, "refusals": self.refusals.load(Ordering::Relaxed),
            "seconds": took.as_secs_f64(),
            "p50Ms": quantile(500), "p99Ms": quantile(990), "p999Ms": quantile(999), "mostMs": quantile(1000),
            "cpuMs": milliseconds(measured.cpu), "peakKib": measured.peak_kib,
        }))
    }

    /// As S3 tells a queue, and `MinIO` a webhook.
    fn notification(&self, number: u64, now: Timestamp) -> String {
        let (source, region) = match self.arguments.source {
            Source::Queue => ("aws:s3", "eu-west-1"),
            Source::Http => ("minio:s3", ""),
        };
        let key = self.key(number);
        let record = json!({
            "eventVersion": "2.1", "eventSource": source, "awsRegion": region, "eventTime": now,
            "eventName": match self.arguments.source {
                Source::Queue => "ObjectCreated:Put",
                Source::Http => "s3:ObjectCreated:Put",
            },
            "userIdentity": { "principalId": "AIDAEXAMPLE" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": "C3D13FE58DE4C810" },
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "bridge",
                "bucket": {
                    "name": "ledger", "ownerIdentity": { "principalId": "A3NL1KOZZKExample" },
                    "arn": "arn:aws:s3:::ledger",
                },
                "object": {
                    "key": key, "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                    "versionId": version(number), "sequencer": format!("{:016X}", number + 1),
                },
            },
        });
        let notification = match self.arguments.source {
            Source::Queue => json!({ "Records": [record] }),
            Source::Http => json!({
                "EventName": "s3:ObjectCreated:Put", "Key": format!("ledger/{key}"), "Records": [record],
            }),
        };
        notification.to_string()
    }
}

fn version(number: u64) -> String {
    format!("v{number}")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0)))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
