//! The page of a dry run: what would be sent, what it costs and how long it takes.

use bridge_core::queue::ordering::Order;
use bridge_history::job::state::Job;
use bridge_history::plan::manifest::Manifest;
use bridge_history::scan::filter::Events;
use bridge_history::send::target::Target;

use crate::estimate::{Way, estimate};
use crate::numbers::{count, grouped, time};
use crate::picture::by_prefix::{self, PREFIXES};
use crate::picture::census::{Census, KINDS};
use crate::picture::chart::Chart;
use crate::picture::filter;
use crate::picture::number::{bytes, dollars, second};
use crate::picture::over_time;
use crate::picture::page::{Page, Part, Section};
use crate::picture::table::{Cell, Table};
use crate::picture::top::TopKeys;

/// Rates to compare with the one that was chosen, events a second.
const RATES: [u64; 3] = [100, 1_000, 10_000];

/// What was planned.
pub(crate) struct Planned<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its plan.
    pub manifest: &'a Manifest,
    /// What is in that.
    pub census: &'a Census,
}

impl Planned<'_> {
    /// The page.
    pub(crate) fn page(&self) -> Page {
        let summary = &self.manifest.summary;
        let way = Way::of(self.job);
        let whole = self.estimate(way);
        let mut sections = Vec::new();
        sections.extend(self.doubts());
        if summary.events == 0 {
            sections.push(Section {
                title: "Nothing would be sent".to_owned(),
                parts: vec![Part::Text(format!(
                    "Of {} versions and delete markers that were listed, none is chosen.",
                    grouped(self.manifest.listed)
                ))],
            });
        } else {
            sections.extend([
                self.over_time(),
                self.cost(way),
                self.prefixes(),
                self.keys(),
            ]);
            sections.extend(self.sizes());
        }
        Page {
            title: format!("What a reseed of {} would send", self.job.bucket),
            facts: self.facts(way),
            figures: vec![
                (grouped(summary.events), "Events"),
                (grouped(summary.created), "Object versions"),
                (grouped(summary.removed), "Delete markers"),
                (bytes(summary.bytes), "Size of all versions"),
                (
                    dollars(whole.s3_dollars + whole.sqs_dollars),
                    "Cost, S3 and SQS",
                ),
                (time(whole.sending), "Time to send"),
            ],
            sections,
            source: format!(
                "Dry run {} of s3-sqs-bridge {}, ended {}: {} versions and delete markers listed in {}. \
                 Nothing was sent. All times are UTC.",
                self.job.job_id,
                env!("CARGO_PKG_VERSION"),
                second(self.job.finished_at.unwrap_or(self.job.updated_at)),
                grouped(self.manifest.listed),
                count(self.manifest.pages, "page"),
            ),
        }
    }

    fn estimate(&self, way: Way) -> crate::estimate::Estimate {
        let runs = self.manifest.runs.len() as u64;
        estimate(self.manifest.summary.events, self.manifest.pages, runs, way)
    }

    fn facts(&self, way: Way) -> Vec<(&'static str, String)> {
        let (options, summary) = (&self.job.options, &self.manifest.summary);
        let filter = &options.filter;
        let mut facts = vec![("Bucket", self.job.bucket.clone())];
        facts.extend(filter::keys(filter));
        let asked = [("From", filter.from), ("Before", filter.until)];
        let planned = [("First event", summary.first), ("Last event", summary.last)];
        let times = asked.into_iter().chain(planned);
        facts.extend(times.filter_map(|(name, at)| Some((name, second(at?)))));
        facts.extend(filter::kinds(filter));
        let to = match &options.target {
            Target::Nowhere => None,
            Target::Stdout => Some("standard output".to_owned()),
            Target::File(path) => Some(path.display().to_string()),
            Target::Queue(url) => Some(url.clone()),
        };
        facts.extend(to.map(|to| ("To", to)));
        let order = match way.order {
            None | Some(Order::Bucket) => "one order for the whole bucket",
            Some(Order::Key) => "by key",
            Some(Order::None) => "none",
        };
        facts.push(("Order", order.to_owned()));
        facts
    }

    /// What no listing proves.
    fn doubts(&self) -> Option<Section> {
        let ambiguous = &self.manifest.summary.ambiguous;
        let first = ambiguous.first.as_ref()?;
        Some(Section {
            title: "Order that is a guess".to_owned(),
            parts: vec![Part::Warning(format!(
                "The server's listing does not tell the order of {} keys; they are in the likeliest. \
                 The first is {first}",
                grouped(ambiguous.keys)
            ))],
        })
    }

    fn over_time(&self) -> Section {
        let timeline = &self.census.timeline;
        Section {
            title: format!("Events over time, by {}", timeline.unit().word()),
            parts: vec![
                over_time::chart(timeline, "Events", &KINDS),
                Part::Text(
                    "A first version is the oldest that its key has in the bucket; each later one \
                     overwrites it, or brings it back after a delete marker."
                        .to_owned(),
                ),
            ],
        }
    }

    fn cost(&self, way: Way) -> Section {
        let whole = self.estimate(way);
        let row = |what: &str, amount: f64| {
            vec![Cell::Text(what.to_owned()), Cell::Figure(dollars(amount))]
        };
        let cost = Table {
            caption: "Cost of the reseed".to_owned(),
            titles: vec!["What", "US dollars"],
            rows: vec![
                row("S3: listing the bucket, writing the plan", whole.s3_dollars),
                row("SQS: sending", whole.sqs_dollars),
                row("In all", whole.s3_dollars + whole.sqs_dollars),
            ],
        };
        let fastest = self.estimate(Way {
            max_rate: None,
            ..way
        });
        let slower = |rate: &u64| {
            self.estimate(Way {
                max_rate: Some(*rate),
                ..way
            })
        };
        let mut rates = vec![time_row(
            match way.max_rate {
                Some(rate) => format!("{} events a second, as chosen", grouped(rate)),
                None => "no limit, as chosen".to_owned(),
            },
            whole.sending,
        )];
        let others = RATES.iter().filter(|rate| Some(**rate) != way.max_rate);
        let others = others.map(|rate| (rate, slower(rate).sending));
        let others = others.filter(|(_, time)| *time > fastest.sending);
        rates.extend(
            others
                .map(|(rate, time)| time_row(format!("{} events a second", grouped(*rate)), time)),
        );
        if way.max_rate.is_some() {
            rates.push(time_row("no limit".to_owned(), fastest.sending));
        }
        let times = Table {
            caption: "Time to send at several rates".to_owned(),
            titles: vec!["Rate", "Time"],
            rows: rates,
        };
        Section {
            title: "Cost and time".to_owned(),
            parts: vec![
                Part::Table(cost),
                Part::Text(
                    "List prices of us-east-1, without a free tier. A consumer pays SQS about twice what \
                     sending costs, to receive and to delete."
                        .to_owned(),
                ),
                Part::Table(times),
                Part::Text(
                    "Without a limit, what docs/BENCHMARKS.md measured with 8 ms a request to SQS is taken; \
                     a queue farther away is slower."
                        .to_owned(),
                ),
            ],
        }
    }

    fn prefixes(&self) -> Section {
        let lines = self.census.prefixes.lines(PREFIXES);
        let titles = vec![
            "Prefix",
            "Of all events",
            "Events",
            "Delete markers",
            "Size",
        ];
        let all = ("events", self.manifest.summary.events);
        Section {
            title: "Biggest prefixes".to_owned(),
            parts: by_prefix::parts(&lines, all, titles, |weight| {
                vec![
                    grouped(weight.events),
                    grouped(weight.removed),
                    bytes(weight.bytes),
                ]
            }),
        }
    }

    fn keys(&self) -> Section {
        let table = Table {
            caption: "Keys with most versions".to_owned(),
            titles: vec!["Key", "Versions", "Last event"],
            rows: key_rows(&self.census.keys, grouped),
        };
        let filter = &self.job.options.filter;
        let chooses = filter.current_only || filter.from.is_some() || filter.events != Events::All;
        let what = "Versions and delete markers of a key, up to its last event here";
        let also = if chooses {
            "; those that are not chosen count, too."
        } else {
            "."
        };
        Section {
            title: "Keys with most versions".to_owned(),
            parts: vec![Part::Table(table), Part::Text(format!("{what}{also}"))],
        }
    }

    /// None for delete markers alone.
    fn sizes(&self) -> Option<Section> {
        let classes = self.census.sizes.classes();
        if classes.is_empty() {
            return None;
        }
        let versions: u64 = classes.iter().map(|(.., class)| class.versions).sum();
        let chart = Chart {
            title: "Object versions by size".to_owned(),
            description: format!(
                "{} object versions in {} classes",
                grouped(versions),
                classes.len()
            ),
            unit: "Object versions, by where their size begins (K, M, G: KiB, MiB, GiB)",
            columns: classes.iter().map(|(short, ..)| short.clone()).collect(),
            kinds: vec![(
                "object versions",
                classes.iter().map(|c| c.2.versions).collect(),
            )],
        };
        let rows = classes.iter().map(|(_, words, class)| {
            vec![
                Cell::Text(words.clone()),
                Cell::Figure(grouped(class.versions)),
                Cell::Figure(bytes(class.bytes)),
            ]
        });
        let table = Table {
            caption: "Object versions by size".to_owned(),
            titles: vec!["Size", "Object versions", "Together"],
            rows: rows.collect(),
        };
        let largest = Table {
            caption: "Largest objects".to_owned(),
            titles: vec!["Key", "Largest version", "Written"],
            rows: key_rows(&self.census.largest, bytes),
        };
        Some(Section {
            title: "Sizes".to_owned(),
            parts: vec![Part::Chart(chart, table), Part::Table(largest)],
        })
    }
}

fn time_row(rate: String, takes: std::time::Duration) -> Vec<Cell> {
    vec![Cell::Text(rate), Cell::Figure(time(takes))]
}

fn key_rows(keys: &TopKeys, figure: fn(u64) -> String) -> Vec<Vec<Cell>> {
    let rows = keys.tops().iter().map(|top| {
        vec![
            Cell::Key(top.key.clone(), 0),
            Cell::Figure(figure(top.number)),
            Cell::Figure(second(top.time)),
        ]
    });
    rows.collect()
}
