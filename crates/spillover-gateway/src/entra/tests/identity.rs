use crate::entra::Identity;

fn find(variables: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let find = |name: &str| {
        let variable = variables.iter().find(|variable| variable.0 == name);
        variable.map(|variable| variable.1.to_owned())
    };
    let identity = Identity::find(find).map_err(|error| error.to_string())?;
    Ok(identity.names().collect())
}

const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "client");
const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "tenant");
const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "secret");
const FILE: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token");
const ENDPOINT: (&str, &str) = ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/");
const HEADER: (&str, &str) = ("IDENTITY_HEADER", "header");

#[test]
fn best_configured_identity_is_used() {
    for (variables, names) in [
        (
            vec![CLIENT, TENANT, SECRET, FILE, ENDPOINT, HEADER],
            vec!["client secret"],
        ),
        (
            vec![CLIENT, TENANT, FILE, ENDPOINT, HEADER],
            vec!["workload identity"],
        ),
        (
            vec![CLIENT, TENANT, ENDPOINT, HEADER],
            vec!["managed identity"],
        ),
        (vec![ENDPOINT, HEADER], vec!["managed identity"]),
        (
            vec![CLIENT, TENANT],
            vec!["managed identity of the machine", "az", "azd"],
        ),
        (vec![], vec!["managed identity of the machine", "az", "azd"]),
    ] {
        assert_eq!(find(&variables), Ok(names), "{variables:?}");
    }
}

#[test]
fn empty_variables_count_as_not_set() {
    let empty = [
        ("AZURE_CLIENT_SECRET", ""),
        ("IDENTITY_ENDPOINT", ""),
        ("AZURE_TOKEN_CREDENTIALS", ""),
    ];
    assert_eq!(find(&empty), find(&[]));
}

#[test]
fn developer_tools_can_be_excluded_or_required() {
    let only = |what| find(&[("AZURE_TOKEN_CREDENTIALS", what), SECRET, CLIENT, TENANT]);
    assert_eq!(only("dev"), Ok(vec!["az", "azd"]));
    assert_eq!(only("prod"), Ok(vec!["client secret"]));
    let machine = find(&[("AZURE_TOKEN_CREDENTIALS", "prod")]);
    assert_eq!(machine, Ok(vec!["managed identity of the machine"]));
    let problem = "AZURE_TOKEN_CREDENTIALS: expected prod or dev";
    assert_eq!(only("test"), Err(problem.to_owned()));
}

#[test]
fn incomplete_identity_is_an_error() {
    for (variables, problem) in [
        (
            vec![SECRET, CLIENT],
            "AZURE_TENANT_ID: not set, but AZURE_CLIENT_SECRET is",
        ),
        (
            vec![SECRET, TENANT],
            "AZURE_CLIENT_ID: not set, but AZURE_CLIENT_SECRET is",
        ),
        (
            vec![FILE, TENANT],
            "AZURE_CLIENT_ID: not set, but AZURE_FEDERATED_TOKEN_FILE is",
        ),
        (
            vec![ENDPOINT],
            "IDENTITY_HEADER: not set, but IDENTITY_ENDPOINT is",
        ),
    ] {
        assert_eq!(find(&variables), Err(problem.to_owned()));
    }
}

#[test]
fn secrets_are_sent_over_tls_only() {
    let http = find(&[
        ("AZURE_AUTHORITY_HOST", "http://login.example"),
        SECRET,
        CLIENT,
        TENANT,
    ]);
    let problem = "AZURE_AUTHORITY_HOST: expected an https URL";
    assert_eq!(http, Err(problem.to_owned()));
}
