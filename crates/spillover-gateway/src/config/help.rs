use clap::builder::{StyledStr, Styles};

pub(super) const ABOUT: &str = "One endpoint in front of several rate-limited LLM backends";

pub(super) const LONG_ABOUT: &str = "\
One endpoint in front of several rate-limited LLM backends

Each request goes to the best backend that takes it now. When a backend throttles or
fails, the request goes to the next one at once, and the backend is used again as
soon as it recovers. A lower priority number is used first; backends of one priority
share the load.";

/// Returns the end of the long help, after the flags.
pub(super) fn after() -> StyledStr {
    let styles = Styles::styled();
    let head = styles.get_header();
    format!("{head}Environment:{head:#}\n{ENVIRONMENT}\n\n{head}Examples:{head:#}\n{EXAMPLES}")
        .into()
}

const ENVIRONMENT: &str = "  \
  BACKEND_<LABEL>_URL              base URL, http or https; required
  BACKEND_<LABEL>_PRIORITY         whole number, a lower one is used first; required
  BACKEND_<LABEL>_APIKEY           the key
  BACKEND_<LABEL>_AUTH             key sends the APIKEY as api-key, bearer sends it as a
                                   bearer token, entra sends a token of Entra ID, and
                                   passthrough the client's own credential. Default
                                   with an APIKEY: bearer for OpenAI, else key. Default
                                   without one: entra
  BACKEND_<LABEL>_DEPLOYMENT_NAME  replaces the deployment or model of requests
  BACKEND_<LABEL>_KIND             azure, openai or other: the form of OpenAI's API, to
                                   which paths are mapped. Default: by the host of the URL
  BACKEND_<LABEL>_PROTOCOL         auto, http1 or http2
  CLIENT_KEYS                      NAME:SHA256,...: the keys of which a client must send
                                   one; spillover hash-key prints the digests. Default:
                                   none, and requests need no key
  RUST_LOG                         filter of the log, such as info or warn

  A label is any name. Every flag has a variable; where both are set, the flag wins.
  Names are read in any case, values are trimmed, an empty value counts as not set.
  Other variables that start with BACKEND_ are ignored and logged.";

const EXAMPLES: &str = "  \
  Try it without a configuration:
    spillover demo

  Two backends; the second takes what the first refuses:
    export BACKEND_1_URL=https://first.openai.azure.com
    export BACKEND_1_PRIORITY=1
    export BACKEND_1_APIKEY=...
    export BACKEND_2_URL=https://second.openai.azure.com
    export BACKEND_2_PRIORITY=2
    export BACKEND_2_APIKEY=...
    spillover

  The same by flags, with the keys still in the environment:
    spillover --backend 1,url=https://first.openai.azure.com,priority=1 \\
              --backend 2,url=https://second.openai.azure.com,priority=2

  With a file, which can have more settings:
    spillover check --config spillover.toml
    spillover --config spillover.toml

  Wait up to two seconds when every backend is closed, listen on port 9000:
    spillover --when-exhausted wait:2s --listen 127.0.0.1:9000";
