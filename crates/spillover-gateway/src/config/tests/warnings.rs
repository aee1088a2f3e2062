use super::{
    config,
    directory::Directory,
    file::{POOL, read},
};
use crate::config::Config;

fn warnings(config: &Config) -> Vec<String> {
    config.warnings.iter().map(ToString::to_string).collect()
}

fn of_variables(variables: &[(&str, &str)]) -> Vec<String> {
    warnings(&config(&[], variables).unwrap())
}

#[test]
fn backends_that_cannot_stand_in_for_each_other_are_warned_of() {
    let of_urls = |urls: [&str; 3]| {
        of_variables(&[
            ("BACKEND_A_URL", urls[0]),
            ("BACKEND_A_PRIORITY", "1"),
            ("BACKEND_B_URL", urls[1]),
            ("BACKEND_B_PRIORITY", "2"),
            ("backend_C_url", urls[2]),
            ("BACKEND_C_PRIORITY", "3"),
        ])
    };
    let azure = "https://x.openai.azure.com";
    let openai = "https://api.openai.com/v1";
    assert_eq!(of_urls([azure, openai, "https://llm.example"]), [""; 0]);
    assert_eq!(
        of_urls([azure, openai, "https://api.anthropic.com"]),
        [
            "backend_C_url: backend C has the API of Anthropic, and backend A of its pool that of OpenAI: \
             neither takes the requests of the other; expected a pool for each"
        ]
    );
    let mixed = ["https://llm.example", "https://api.anthropic.com", azure];
    assert_eq!(of_urls(mixed).len(), 1);
}

#[test]
fn url_that_is_an_operation_is_warned_of_with_its_base() {
    let warnings = of_variables(&[
        (
            "BACKEND_X_URL",
            "https://x.openai.azure.com/openai/deployments/gpt-4o",
        ),
        ("BACKEND_X_PRIORITY", "1"),
    ]);
    assert_eq!(
        warnings,
        [
            "BACKEND_X_URL: one operation, not the base of an API; expected https://x.openai.azure.com, \
             and gpt-4o as DEPLOYMENT_NAME (in a file deployment) if all requests are for it"
        ]
    );
}

#[test]
fn check_prints_warnings_with_line_and_key_before_the_file() {
    let directory = Directory::new();
    let text = POOL.replace("https://a.example", "https://a.example/v1/responses");
    let (config, document) = read(&directory, &text, &[], &[]).unwrap();
    let printed = document.print(&config);
    let (first, _) = printed.split_once('\n').unwrap();
    assert!(first.starts_with("# Warning: "), "{printed}");
    assert!(first.contains("pools[0].backends[0].url: "), "{printed}");
    assert!(first.ends_with("expected https://a.example"), "{printed}");
}
