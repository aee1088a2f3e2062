use std::{
    ffi::{OsStr, OsString},
    fmt,
};

use clap::Args;

use super::variables::Setting;

/// The flags that stand beside the variables. Each has the name of its variable.
#[expect(clippy::doc_markdown, reason = "the help text is no Markdown")]
#[derive(Args, Clone, Debug)]
pub(super) struct Flags {
    /// Read this file, in TOML [env: SPILLOVER_CONFIG]
    ///
    /// It has all settings, and all backends: BACKEND_<LABEL>_<KEY> is ignored then. The
    /// other variables and flags win over what it says. docs/configuration.md has its
    /// keys, and spillover check tells what is wrong with it.
    #[arg(long, value_name = "FILE")]
    #[arg(verbatim_doc_comment, help_heading = "Configuration file")]
    pub(super) config: Option<FlagText>,

    /// Add or change a backend; repeatable [env: BACKEND_<LABEL>_<KEY>]
    ///
    /// The keys are those of the variables: url, priority, auth, deployment_name, kind
    /// and protocol. A key given here wins over the variable of the same label. API
    /// keys are refused, because process lists show flags; they go in
    /// BACKEND_<LABEL>_APIKEY.
    #[arg(long, value_name = "LABEL,KEY=VALUE,...")]
    #[arg(verbatim_doc_comment, help_heading = "Backends")]
    pub(super) backend: Vec<FlagText>,

    /// Address to listen on [env: LISTEN] [default: 127.0.0.1:8080]
    ///
    /// Such as 0.0.0.0:8080, [::]:8080 or localhost:8080.
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) listen: Option<FlagText>,

    /// Port to listen on, on every interface [env: PORT]
    ///
    /// The same as --listen 0.0.0.0:PORT. With both variables set, LISTEN wins.
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) port: Option<FlagText>,

    /// Address where operators ask how it does [env: ADMIN_LISTEN]
    ///
    /// Such as 127.0.0.1:9090. Without it, nowhere.
    #[arg(long, value_name = "HOST:PORT")]
    #[arg(verbatim_doc_comment, help_heading = "Listening")]
    pub(super) admin_listen: Option<FlagText>,

    /// Time a backend has to answer [env: HTTP_TIMEOUT_SECONDS] [default: 100]
    ///
    /// Until the head of the response; fractions are allowed. When it is over, the
    /// backend rests and the request moves on to the next one.
    #[arg(long, value_name = "SECONDS")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) http_timeout_seconds: Option<FlagText>,

    /// What to do when every backend is closed [env: WHEN_EXHAUSTED] [default: forward]
    ///
    ///   forward  try the first backend once and pass its answer on
    ///   reject   answer 429 at once, with the time when a backend opens
    ///   wait:2s  wait up to this long for a backend to open (500ms, 1.5s, 1m)
    #[arg(long, value_name = "forward|reject|wait:DURATION")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) when_exhausted: Option<FlagText>,

    /// Name the URL of the backend in responses [env: EXPOSE_BACKEND_URL] [default: false]
    ///
    /// In x-openai-backendurl; it discloses internal URLs. The label of the backend is
    /// always named, in x-spillover-backend.
    #[arg(long, value_name = "true|false")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(verbatim_doc_comment, help_heading = "Requests")]
    pub(super) expose_backend_url: Option<FlagText>,

    /// Form of the log [env: LOG_FORMAT] [default: auto]
    ///
    /// With auto it is text on a terminal and JSON anywhere else. What is logged is the
    /// business of RUST_LOG.
    #[arg(long, value_name = "auto|text|json")]
    #[arg(verbatim_doc_comment, help_heading = "Logging")]
    pub(super) log_format: Option<FlagText>,
}

impl Flags {
    /// Returns the flags with the variables that they override.
    pub(super) fn by_variable(&self) -> [(&'static str, Option<&FlagText>); 8] {
        [
            ("SPILLOVER_CONFIG", self.config.as_ref()),
            ("LISTEN", self.listen.as_ref()),
            ("PORT", self.port.as_ref()),
            ("ADMIN_LISTEN", self.admin_listen.as_ref()),
            ("HTTP_TIMEOUT_SECONDS", self.http_timeout_seconds.as_ref()),
            ("WHEN_EXHAUSTED", self.when_exhausted.as_ref()),
            ("EXPOSE_BACKEND_URL", self.expose_backend_url.as_ref()),
            ("LOG_FORMAT", self.log_format.as_ref()),
        ]
    }
}

/// The value of a flag as it was given. It may be a key in the wrong place, so it is not printed.
#[derive(Clone)]
pub(super) struct FlagText(OsString);

impl FlagText {
    /// Returns the setting of this flag, which overrides the variable `name`.
    pub(super) fn setting(&self, name: &str) -> Option<Setting> {
        let flag = name.strip_prefix("SPILLOVER_").unwrap_or(name);
        let flag = flag.to_ascii_lowercase().replace('_', "-");
        Setting::new(format!("--{flag}"), &self.0)
    }

    pub(super) fn as_os_str(&self) -> &OsStr {
        &self.0
    }

    /// Returns true if the flag counts as not set.
    pub(super) fn is_blank(&self) -> bool {
        self.setting("").is_none()
    }
}

impl From<OsString> for FlagText {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl fmt::Debug for FlagText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
