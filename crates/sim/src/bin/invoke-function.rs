//! Starts a Lambda function as Lambda does, again and again, and invokes it with S3's notifications, while
//! an SQS answers; tells as JSON how long it all took.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bridge_sim::load::lambda::RuntimeApi;
use bridge_sim::load::process::Process;
use bridge_sim::load::server::Load;
use bridge_sim::load::shape::{Shape, Synthetic};
use bytes::Bytes;
use clap::Parser;
use serde_json::{Value, json};

#[derive(Parser)]
struct Arguments {
    /// Records in an invocation
    #[arg(long, default_value_t = 1)]
    records: usize,
    /// Milliseconds until SQS answers
    #[arg(long, default_value_t = 0)]
    send_ms: u64,
    /// How often the function is started
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Warm invocations after the last start
    #[arg(long, default_value_t = 200)]
    invocations: usize,
    /// Variables of the function, NAME=VALUE
    #[arg(long)]
    env: Vec<String>,
    /// The function, and its arguments
    #[arg(last = true, required = true)]
    program: Vec<PathBuf>,
}

/// Milliseconds, and processor milliseconds.
#[derive(Default)]
struct Figures {
    request: Vec<f64>,
    response: Vec<f64>,
    answer: Vec<f64>,
    cpu: Vec<f64>,
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
    load.keep_moments();
    let (load, endpoint) = load.listen().await?;
    let (mut first_poll, mut init_cpu) = (Vec::new(), Vec::new());
    let (mut cold, mut warm) = (Figures::default(), Figures::default());
    let mut peak = 0;
    for start in 0..arguments.starts.max(1) {
        let mut api = RuntimeApi::listen().await?;
        let environment = environment(&arguments, api.address(), &endpoint);
        let process = Process::start(&arguments.program, &environment)?;
        let asked = api.asked().await?;
        first_poll.push(milliseconds(asked - process.begin()));
        init_cpu.push(milliseconds(process.cpu()?));
        invoke(&arguments, &mut api, &process, &load, &mut cold).await?;
        if start + 1 == arguments.starts {
            for _ in 0..arguments.invocations {
                invoke(&arguments, &mut api, &process, &load, &mut warm).await?;
            }
        }
        peak = process.peak_kib()?.max(peak);
    }
    let told = json!({
        "firstPollMs": median(&mut first_poll), "initCpuMs": median(&mut init_cpu),
        "cold": cold.told(), "warm": warm.told(), "peakKib": peak,
    });
    println!("{told}");
    Ok(())
}

/// One invocation, until the function asks for the next.
async fn invoke(
    arguments: &Arguments,
    api: &mut RuntimeApi,
    process: &Process,
    load: &Load,
    figures: &mut Figures,
) -> io::Result<()> {
    let before = process.cpu()?;
    let (begin, end, _) = api.invoke(notification(arguments.records)).await?;
    api.asked().await?;
    // It may have something to do after it asked.
    tokio::time::sleep(Duration::from_millis(2)).await;
    figures
        .cpu
        .push(milliseconds(process.cpu()?.saturating_sub(before)));
    let moments = load.take_moments();
    let sent: usize = moments.iter().map(|sent| sent.messages).sum();
    let Some(first) = moments.first().filter(|_| sent == arguments.records) else {
        return Err(io::Error::other(format!("{sent} messages came")));
    };
    figures.request.push(milliseconds(first.came - begin));
    figures.response.push(milliseconds(end - begin));
    let answers = moments
        .iter()
        .map(|sent| milliseconds(sent.answered - sent.came));
    figures
        .answer
        .push(median(&mut answers.collect::<Vec<_>>()).unwrap_or_default());
    Ok(())
}

impl Figures {
    fn told(mut self) -> Value {
        json!({
            "requestMs": median(&mut self.request), "responseMs": median(&mut self.response),
            "answerMs": median(&mut self.answer), "cpuMs": median(&mut self.cpu),
        })
    }
}

/// What Lambda sets, and what the function wants.
fn environment(arguments: &Arguments, api: &str, endpoint: &str) -> Vec<(String, String)> {
    let own = [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "realtime"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/realtime"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/26/[$LATEST]1"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_SESSION_TOKEN", "test"),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", ":UTC"),
        ("AWS_ENDPOINT_URL_SQS", endpoint),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let queue = format!("{endpoint}/123456789012/load.fifo");
    let given = arguments.env.iter().filter_map(|text| text.split_once('='));
    own.into_iter()
        .chain([("QUEUE_URL".to_owned(), queue)])
        .chain(given.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}

/// S3's notification of so many objects that were put.
fn notification(records: usize) -> Bytes {
    let record = |_| {
        let id = fastrand::u64(..);
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
            "eventTime": "2026-11-26T12:00:07.123Z", "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "AWS:AIDAEXAMPLE" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": {
                "x-amz-request-id": "C3D13FE58DE4C810",
                "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
            },
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "bridge",
                "bucket": {
                    "name": "ledger", "ownerIdentity": { "principalId": "A3NL1KOZZKExample" },
                    "arn": "arn:aws:s3:::ledger",
                },
                "object": {
                    "key": format!("accounts/{id:016x}.json"), "size": 1024,
                    "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                    "versionId": format!("{id:032x}"), "sequencer": format!("{id:018X}"),
                },
            },
        })
    };
    let records: Vec<Value> = (0..records).map(record).collect();
    Bytes::from(json!({ "Records": records }).to_string())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
