use super::{POOL, assert_problem, files_for, load_with, problems_of};
use crate::config::{Config, ConfigError, tests::directory::Directory};

fn with_key(secret: &str) -> String {
    POOL.replace("\"entra\"", &format!("{{ api_key = {secret} }}"))
}

fn key_of(config: Result<Config, ConfigError>) -> String {
    let config = config.unwrap();
    let credential = config.backends()[0].credential().unwrap().clone();
    let (_, value) = credential.field().unwrap();
    value.to_str().unwrap().to_owned()
}

#[test]
fn secret_is_in_a_variable_a_file_or_the_text() {
    let directory = Directory::new();
    let file = directory.write("key", "of a file\r\n");
    let variables = [("Ptu_Key", " of a variable\n")];
    for (secret, expected) in [
        ("{ env = 'PTU_KEY' }".to_owned(), "of a variable"),
        ("{ file = 'key' }".to_owned(), "of a file"),
        (format!("{{ file = '{file}' }}"), "of a file"),
        ("'of the text'".to_owned(), "of the text"),
    ] {
        let config = load_with(&directory, &with_key(&secret), &[], &variables);
        assert_eq!(key_of(config), expected);
    }
}

#[test]
fn files_of_an_invalid_configuration_are_recorded() {
    let directory = Directory::new();
    let (key, config) = (
        directory.path().join("key"),
        directory.path().join("spillover.toml"),
    );
    // Once the missing file is there, the configuration may be valid.
    let text = with_key("{ file = 'key' }");
    assert_eq!(files_for(&directory, &text), [key, config.clone()]);
    assert_eq!(files_for(&directory, "no TOML"), [config]);
}

#[test]
fn missing_secret_is_reported_at_its_place() {
    let place = "6: pools[0].backends[0].credential.api_key";
    for (secret, expected) in [
        (
            "{ env = 'PTU_KEY' }",
            ".env: the variable PTU_KEY is not set",
        ),
        (
            "{ file = '/not/there' }",
            ".file: /not/there cannot be read: No such file",
        ),
        (
            "{ file = 'there' }",
            ".file: the file cannot be read: No such file",
        ),
        ("{ file = '/' }", ".file: / cannot be read"),
        (
            "{ env = 'sk-hunter2' }",
            ".env: expected the name of a variable",
        ),
        ("{ env = 5 }", ".env: expected a string"),
        (
            "{ variable = 'X' }",
            ".variable: an unknown key; expected one of: env, file",
        ),
        (
            "{ env = 'A', file = 'b' }",
            ": expected { env = \"NAME\" }, { file = \"/path\" }",
        ),
        ("{}", ": expected { env = \"NAME\" }"),
        ("5", ": expected { env = \"NAME\" }"),
        (
            "''",
            ": expected a secret of one or more visible ASCII characters",
        ),
        (
            "'[redacted]'",
            ": expected the secret itself; it was printed as [redacted]",
        ),
    ] {
        assert_problem(&with_key(secret), &format!("{place}{expected}"));
    }
}

#[test]
fn file_that_is_too_long_or_binary_is_no_secret() {
    let directory = Directory::new();
    directory.write("long", vec![b'x'; 70_000]);
    directory.write("binary", [0xff, 0xfe]);
    for (file, expected) in [("long", "it is too long"), ("binary", "valid UTF-8")] {
        let text = with_key(&format!("{{ file = '{file}' }}"));
        let error = load_with(&directory, &text, &[], &[]).unwrap_err();
        let lines = problems_of(&directory, &error);
        assert!(
            lines[0].ends_with(expected) && lines.len() == 1,
            "{lines:?}"
        );
    }
}

#[test]
fn debug_output_has_no_secret_of_a_file() {
    let directory = Directory::new();
    let text = with_key("'hunter2'")
        + "request_headers.set.x-a = 'hunter2'\nresponse_headers.set.x-b = 'hunter2'\n"
        + "[[clients.keys]]\nname = 'a'\nsecret = 'hunter2'\n";
    let config = load_with(&directory, &text, &[], &[]).unwrap();
    assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
}
