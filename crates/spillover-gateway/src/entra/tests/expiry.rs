use spillover_testing::CapturedLog;
use tokio::time::sleep;
use tracing::Level;

use super::fake::{Answer, Script, minutes, seconds};

#[tokio::test(start_paused = true)]
async fn tokens_failures_and_expiry_are_logged() {
    let (log, _guard) = CapturedLog::start(Level::INFO);
    let script = Script::new([Answer::Token("t", minutes(60)), Answer::Failure("down")]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();
    assert_eq!(
        log.count(&[
            "INFO",
            "token acquired",
            "source=\"fake\"",
            "valid_for_s=3600"
        ]),
        1
    );

    sleep(minutes(55) + seconds(1)).await;
    assert_eq!(
        log.count(&[
            "WARN",
            "refresh failed",
            "error=down",
            "failures=1",
            "valid_for_s=300"
        ]),
        1
    );
    assert_eq!(log.count(&["token expired"]), 0);

    sleep(minutes(15)).await;
    assert_eq!(log.count(&["ERROR", "token expired", "error=down"]), 1);

    script.answer([Answer::Token("t", minutes(60))]);
    sleep(seconds(31)).await;
    assert_eq!(log.count(&["token acquired"]), 2);
    script.answer([Answer::Never]);
    sleep(minutes(61)).await;
    assert_eq!(log.count(&["token expired"]), 2);
    assert_eq!(log.count(&["t-1"]), 0);
}

#[tokio::test(start_paused = true)]
async fn expiry_during_a_slow_call_is_logged() {
    let (log, _guard) = CapturedLog::start(Level::INFO);
    let tokens = Script::new([
        Answer::Token("t", seconds(4)),
        Answer::Late(seconds(10), minutes(60)),
    ])
    .tokens();
    tokens.first(seconds(5)).await.unwrap();
    sleep(seconds(5)).await;
    assert_eq!(log.count(&["token expired"]), 1);
    sleep(seconds(10)).await;
    assert_eq!(tokens.bearer().unwrap(), "Bearer late-2");
    assert_eq!(log.count(&["token acquired"]), 2);
}
