//! The log: on standard error, for people or an object a line, or in systemd's journal.
//!
//! In the journal an event's text is `MESSAGE`, and its fields are `VOUCH_AGENT`, `VOUCH_EVENT` and so on, as
//! `journalctl VOUCH_EVENT=moved VOUCH_HOST=02:00:00:00:00:01` takes them; a level is the priority of the same name.

use std::fmt;
use std::io::IsTerminal as _;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people; with colours on a terminal
    #[default]
    Text,
    /// An object a line
    Json,
    /// Into systemd's journal, with the fields as VOUCH_AGENT, VOUCH_EVENT and so on
    Journald,
}

/// What the names of our fields begin with in the journal.
const PREFIX: &str = "VOUCH";

/// Begins the log. What is in it the environment variable VOUCH_LOG says, or else `default`.
///
/// # Errors
/// There is no journal to write to.
pub(crate) fn begin(default: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_from_env("VOUCH_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_env_filter(filter).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.with_env_filter(filter).event_format(Json).init(),
        LogFormat::Journald => tracing_subscriber::registry().with(filter).with(journal()?).init(),
    }
    Ok(())
}

fn journal() -> Result<tracing_journald::Layer, String> {
    let journal = tracing_journald::layer().map_err(|error| {
        format!(
            "`--log-format journald`: cannot write to systemd's journal at /run/systemd/journal/socket: {error}. Where no \
             systemd-journald runs, use `text` or `json`"
        )
    })?;
    let priorities = PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
        ..PriorityMappings::new()
    };
    let named = journal.with_field_prefix(Some(PREFIX.to_owned())).with_syslog_identifier("vouch".to_owned());
    Ok(named.with_priority_mappings(priorities))
}

/// `timestamp`, `level` and `target`, and the event's own fields beside them; its text is `message`.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields(Map::new());
        fields.0.insert("timestamp".to_owned(), timestamp.into());
        fields.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        fields.0.insert("target".to_owned(), event.metadata().target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

/// What an event says.
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
}
