//! Runs the examples of README and documentation unchanged, in front of mocks with only their provider's paths.

use std::{net::SocketAddr, process::Stdio};

use spillover_testing::{
    MockUpstream,
    upstream::{Behavior, Provider},
};
use spillover_tests::{
    e2e::{Files, Gateway, GatewayBuilder, answer, eventually, json, soon, with},
    examples::{Program, blocks, commands, exports, page},
    gateway,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

const REPLY: &str = "Hello from a mock.";

/// Mocks that replace the backends of an example.
struct Mocks(Vec<(String, MockUpstream)>);

impl Mocks {
    /// Adds a mock for a URL. The backend's kind is declared, because the mock's host does not tell it.
    async fn add(&mut self, label: &str, url: &str, key: &str) -> Option<(String, &'static str)> {
        let (provider, kind) = match url {
            _ if url.ends_with(".openai.azure.com") => (Provider::Azure, "azure"),
            "https://api.openai.com" => (Provider::OpenAi, "openai"),
            _ => return None,
        };
        let mock = MockUpstream::builder().provider(provider).api_key(key);
        let mock = mock.reply(REPLY).start().await.expect("a free port");
        let url = mock.url();
        self.0.push((label.to_owned(), mock));
        Some((url, kind))
    }

    /// Starts mocks for the variables of a shell example, and returns a gateway with them.
    async fn in_exports(block: &str) -> (Self, GatewayBuilder) {
        let mut mocks = Self(Vec::new());
        let mut gateway = gateway!();
        for (name, value) in exports(block) {
            let label = name.strip_prefix("BACKEND_");
            let Some(label) = label.and_then(|label| label.strip_suffix("_URL")) else {
                gateway = gateway.env(name, value);
                continue;
            };
            // Examples have dots for keys.
            let (url, kind) = mocks.add(label, &value, "...").await.expect("a mock");
            gateway = gateway
                .env(&name, url)
                .env(format!("BACKEND_{label}_KIND"), kind);
        }
        (mocks, gateway)
    }

    /// Starts mocks for a configuration file whose backends take the key `k`.
    async fn in_file(example: &str) -> (Self, String) {
        let mut mocks = Self(Vec::new());
        let mut text = String::new();
        let mut name = "";
        for line in example.lines() {
            let quoted = line.split('"').nth(1).unwrap_or_default();
            if line.starts_with("name = ") {
                name = quoted;
            }
            let mock = match line.strip_prefix("url = ") {
                Some(_) => mocks.add(name, quoted, "k").await,
                None => None,
            };
            match mock {
                Some((url, kind)) => text += &format!("url = \"{url}\"\nkind = \"{kind}\"\n"),
                None => text += &format!("{line}\n"),
            }
        }
        (mocks, text)
    }

    fn first(&self) -> &MockUpstream {
        &self.0[0].1
    }

    /// Checks that no mock got a path that it does not have, and that no client had to retry.
    fn assert_all_is_well(&self) {
        for (label, mock) in &self.0 {
            assert_eq!(mock.handle().stats().failed, 0, "at {label}");
            for request in mock.handle().requests() {
                let retries = request.headers.get("x-stainless-retry-count");
                assert!(retries.is_none_or(|count| count == "0"), "{retries:?}");
            }
        }
    }
}

fn throttle(mock: &MockUpstream) {
    let fields = [("retry-after", "1"), ("retry-after-ms", "1000")];
    mock.handle().set_behavior(answer(429, &fields));
}

/// Runs the example before, during and after a throttle of the first backend. Each time it must succeed at the first
/// try.
async fn serves_in_every_phase(
    mocks: &Mocks,
    gateway: &Gateway,
    mut run: impl AsyncFnMut(SocketAddr),
) {
    let first = mocks.first();
    run(gateway.address()).await;
    let served = first.handle().stats().served;
    assert!(served > 0, "the first backend is used first");

    throttle(first);
    run(gateway.address()).await;
    assert!(first.handle().stats().throttled > 0);
    assert_eq!(first.handle().stats().served, served);

    first.handle().set_behavior(Behavior::api());
    eventually(async || {
        let ask = r#"{"model": "gpt-4o", "messages": []}"#;
        let asked = gateway.send(json("/v1/chat/completions", ask)).await;
        asked.status == 200 && asked.backend() == mocks.0[0].0
    })
    .await;
    let served = first.handle().stats().served;
    run(gateway.address()).await;
    assert!(first.handle().stats().served > served);
    mocks.assert_all_is_well();
}

/// Starts the README's backends, three of Azure OpenAI.
async fn newcomer() -> (Mocks, Gateway) {
    let mut blocks = blocks(&page("README.md"), "sh");
    blocks.retain(|block| block.contains("BACKEND_PTU_URL"));
    let (mocks, gateway) = Mocks::in_exports(&blocks[0]).await;
    assert_eq!(mocks.0.len(), 3);
    (mocks, gateway.start().await)
}

/// Returns the only block of README in this language that calls the gateway.
fn readme_example(language: &str) -> String {
    let mut blocks = blocks(&page("README.md"), language);
    blocks.retain(|block| block.contains("http://127.0.0.1:8080"));
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks.remove(0)
}

#[tokio::test]
async fn curl_of_readme_is_served_before_during_and_after_a_throttle() {
    let files = Files::new();
    let Some(shell) = Program::shell(&files.path("")) else {
        return;
    };
    let example = readme_example("sh");
    let (mocks, gateway) = newcomer().await;
    serves_in_every_phase(&mocks, &gateway, async |address| {
        let printed = shell.run(&example, address, &[]).await;
        assert!(printed.starts_with("HTTP/1.1 200 OK"), "{printed}");
        assert!(printed.contains(REPLY), "{printed}");
    })
    .await;
}

/// Sends one plain request and one stream, by the SDK's two classes.
async fn sdk_is_served_in_every_phase(program: Option<Program>, language: &str) {
    let Some(program) = program else {
        return;
    };
    let example = readme_example(language);
    let (mocks, gateway) = newcomer().await;
    serves_in_every_phase(&mocks, &gateway, async |address| {
        let printed = program.run(&example, address, &[]).await;
        assert_eq!(printed.trim_end(), format!("{REPLY}\n{REPLY}"));
    })
    .await;
    let requests = mocks.first().handle().requests();
    let mut paths: Vec<_> = requests.iter().map(|request| request.uri.path()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(
        paths,
        [
            "/openai/deployments/gpt-4o/chat/completions",
            "/openai/v1/chat/completions"
        ]
    );
}

#[tokio::test]
async fn python_of_readme_is_served_before_during_and_after_a_throttle() {
    sdk_is_served_in_every_phase(Program::python(), "python").await;
}

#[tokio::test]
async fn node_of_readme_is_served_before_during_and_after_a_throttle() {
    sdk_is_served_in_every_phase(Program::node(), "js").await;
}

#[tokio::test]
async fn demo_serves_the_examples_of_readme_while_its_backends_throttle() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_spillover-under-test"))
        .args(["demo", "--serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program can be run");
    let mut lines = BufReader::new(demo.stdout.take().expect("it is piped")).lines();
    let address = soon(async {
        loop {
            let line = lines.next_line().await.expect("text").expect("a line");
            if let Some((_, address)) = line.split_once(" to http://") {
                break address.parse().expect("an address");
            }
        }
    })
    .await;
    let files = Files::new();
    for (program, language) in [
        (Program::shell(&files.path("")), "sh"),
        (Program::python(), "python"),
        (Program::node(), "js"),
    ] {
        let Some(program) = program else {
            continue;
        };
        let printed = program.run(&readme_example(language), address, &[]).await;
        assert!(printed.contains("the same answer for you."), "{printed}");
    }
}

#[tokio::test]
async fn file_of_readme_serves_azure_and_openai_alike() {
    let mut blocks = blocks(&page("README.md"), "toml");
    blocks.retain(|block| block.contains("[[pools]]"));
    let (mocks, text) = Mocks::in_file(&blocks[0]).await;
    // The example's admin listener gets a free port.
    let text = text.replace("127.0.0.1:9090", "127.0.0.1:0");
    let gateway = gateway!().config(&text).env("TEAM_A_KEY", "of-team-a");
    let gateway = gateway.env("PTU_KEY", "k").env("OPENAI_KEY", "k");
    let gateway = gateway.start().await;
    let ask = async |path: &str| {
        let body = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]}"#;
        let request = with(json(path, body), "api-key", "of-team-a");
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.backend().to_owned()
    };
    let paths = [
        "/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    ];
    for path in paths {
        assert_eq!(ask(path).await, "ptu");
    }
    throttle(mocks.first());
    for path in paths {
        assert_eq!(ask(path).await, "openai");
    }
    mocks.assert_all_is_well();
    let requests = mocks.0[1].1.handle().requests();
    let targets = requests.iter().map(|request| request.path_and_query());
    assert!(targets.eq(["/v1/chat/completions"; 3]));
}

/// Texts of curl examples that run in another module, each with the test binary and that module.
const ELSEWHERE: [(&str, &str); 4] = [
    ("127.0.0.1:9090", "e2e admin"),
    ("--cacert", "e2e tls_in"),
    ("access-control-request-method", "e2e client_keys"),
    // The base path of a backend, which no provider documents.
    ("--request-target '*'", "e2e http"),
];

/// Returns the curl examples on a page of the documentation.
fn curls(name: &str) -> Vec<String> {
    let blocks = blocks(&page(name), "sh");
    let commands = blocks.iter().flat_map(|block| commands(block));
    let is_here = |command: &String| {
        let is_elsewhere = ELSEWHERE.iter().any(|(part, _)| command.contains(part));
        command.contains("curl ") && !is_elsewhere
    };
    commands.filter(is_here).collect()
}

#[tokio::test]
async fn curl_of_the_documentation_is_served_in_front_of_azure() {
    let files = Files::new();
    let Some(shell) = Program::shell(&files.path("")) else {
        return;
    };
    files.write("audio.wav", "not much of a sound");
    let (mocks, gateway) = newcomer().await;
    let mut count = 0;
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    for entry in pages.expect("the documentation") {
        let name = entry.expect("a page").file_name();
        let name = format!("docs/{}", name.to_str().expect("a name"));
        for command in curls(&name) {
            let received = received(&mocks);
            let printed = shell
                .run(&command, gateway.address(), &[("KEY", "k")])
                .await;
            assert!(received < self::received(&mocks), "{name}: {command}");
            let is_served = printed.contains(" 200 OK") || printed.contains("HTTP/2 200");
            let prints_head = ["-i ", "-I "].iter().any(|flag| command.contains(flag));
            assert!(is_served || !prints_head, "{name}: {command}: {printed}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
    mocks.assert_all_is_well();
}

#[tokio::test]
async fn every_backend_of_the_azure_page_serves_every_form_of_a_request() {
    let files = Files::new();
    let Some(shell) = Program::shell(&files.path("")) else {
        return;
    };
    let name = "docs/azure.md";
    let settings = blocks(&page(name), "sh").remove(0);
    let (mocks, gateway) = Mocks::in_exports(&settings).await;
    let gateway = gateway.start().await;
    let commands = curls(name);
    assert_eq!(commands.len(), 3);
    for (label, mock) in &mocks.0 {
        for command in &commands {
            let printed = shell.run(command, gateway.address(), &[]).await;
            assert!(printed.starts_with("HTTP/1.1 200 OK"), "{printed}");
            let line = format!("x-spillover-backend: {label}");
            assert!(printed.contains(&line), "{printed}");
        }
        throttle(mock);
    }
    mocks.assert_all_is_well();
    let targets = |index: usize| {
        let requests = mocks.0[index].1.handle().requests();
        let served = requests.iter().take(3);
        served
            .map(|request| {
                let body = std::str::from_utf8(&request.body).expect("text");
                (request.path_and_query().to_owned(), body.to_owned())
            })
            .collect::<Vec<_>>()
    };
    let [(v1, body), (azure_v1, _), (dated, _)] = &targets(1)[..] else {
        panic!("three requests");
    };
    assert_eq!([v1, azure_v1], ["/openai/v1/chat/completions"; 2]);
    assert!(body.contains(r#""model": "gpt-4o-sweden""#), "{body}");
    assert!(
        dated.starts_with("/openai/deployments/gpt-4o-sweden/"),
        "{dated}"
    );
    for (target, body) in targets(2) {
        assert_eq!(target, "/v1/chat/completions");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["model"], "gpt-4o");
    }
}

#[tokio::test]
async fn target_uri_is_refused_in_the_words_of_the_azure_page() {
    let page = page("docs/azure.md");
    let mut settings = blocks(&page, "sh");
    settings.retain(|block| block.contains("spillover check"));
    let variables = exports(&settings[0]);
    let variables = variables.iter().map(|(name, value)| (&**name, &**value));
    let checked = gateway!().envs(variables).args(["check"]).run().await;
    assert_eq!(checked.code, Some(2));
    let expected = blocks(&page, "text").remove(0);
    assert_eq!(checked.stderr.trim_end(), expected);
}

fn received(mocks: &Mocks) -> u64 {
    let stats = mocks.0.iter().map(|(_, mock)| mock.handle().stats());
    stats.map(|stats| stats.received).sum()
}

#[tokio::test]
async fn two_pools_of_the_documentation_serve_their_models() {
    let files = Files::new();
    let Some(shell) = Program::shell(&files.path("")) else {
        return;
    };
    let blocks = blocks(&page("docs/pools.md"), "toml fragment");
    let (mocks, text) = Mocks::in_file(&blocks[0]).await;
    let gateway = gateway!().config(&text);
    let gateway = ["ANTHROPIC_KEY", "SWEDEN_KEY", "OPENAI_KEY"]
        .iter()
        .fold(gateway, |gateway, name| gateway.env(name, "k"));
    let gateway = gateway.start().await;
    let command = curls("docs/pools.md").remove(0);
    for backend in ["sweden", "openai"] {
        let printed = shell.run(&command, gateway.address(), &[]).await;
        assert!(printed.starts_with("HTTP/1.1 200 OK"), "{printed}");
        let line = format!("x-spillover-backend: {backend}");
        assert!(printed.contains(&line), "{printed}");
        throttle(mocks.first());
    }
    mocks.assert_all_is_well();
}
