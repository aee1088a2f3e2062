use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::fake::{Answer, Script, minutes, seconds};
use crate::entra::Tokens;

fn bearer(tokens: &Tokens) -> String {
    let bearer = tokens.bearer().expect("a token");
    bearer.to_str().expect("text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn first_token_is_awaited_up_to_the_limit() {
    let slow = Script::new([Answer::Late(seconds(7), minutes(60))]).tokens();
    let start = Instant::now();
    let missing = slow.first(seconds(5)).await.unwrap_err();
    assert_eq!(Instant::now() - start, seconds(5));
    let said = missing.to_string();
    assert!(
        said.starts_with("no Entra ID token came yet, 5 s after the start"),
        "{said}"
    );
    assert!(said.contains("AZURE_CLIENT_ID"), "{said}");

    slow.first(seconds(5)).await.unwrap();
    assert_eq!(Instant::now() - start, seconds(7));
    assert_eq!(bearer(&slow), "Bearer late-1");
}

#[tokio::test(start_paused = true)]
async fn token_is_replaced_five_minutes_before_it_expires() {
    let script = Script::new([Answer::Token("t", minutes(60))]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();

    sleep(minutes(55) - seconds(1)).await;
    assert_eq!(bearer(&tokens), "Bearer t-1");
    sleep(seconds(2)).await;
    assert_eq!(bearer(&tokens), "Bearer t-2");
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn short_token_is_replaced_at_half_its_lifetime() {
    let script = Script::new([Answer::Token("t", minutes(4))]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();

    sleep(minutes(2) + seconds(1)).await;
    assert_eq!(bearer(&tokens), "Bearer t-2");
}

#[tokio::test(start_paused = true)]
async fn many_readers_cause_one_call() {
    let script = Script::new([Answer::Late(seconds(3), minutes(60))]);
    let tokens = script.tokens();
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move {
                tokens.first(seconds(5)).await.unwrap();
                bearer(&tokens)
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), "Bearer late-1");
    }
    assert_eq!((script.calls().len(), script.most_running()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn hanging_call_is_dropped_and_made_again() {
    let script = Script::new([Answer::Never, Answer::Token("t", minutes(60))]);
    let tokens = script.tokens();
    sleep(seconds(20) + Duration::from_millis(1)).await;

    let status = tokens.status();
    assert_eq!(status.failures, 1);
    assert_eq!(
        status.last_error.unwrap().to_string(),
        "no answer within 20 s"
    );
    tokens.first(seconds(5)).await.unwrap();
    assert_eq!(bearer(&tokens), "Bearer t-2");
    assert_eq!(script.most_running(), 1);
}

#[tokio::test(start_paused = true)]
async fn failing_source_is_called_less_often_and_its_token_is_used_until_it_expires() {
    let script = Script::new([Answer::Token("t", minutes(60)), Answer::Failure("down")]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();
    let start = script.calls()[0];

    sleep(minutes(60) - seconds(1)).await;
    assert_eq!(bearer(&tokens), "Bearer t-1");
    let calls = script.calls();
    let waits: Vec<_> = calls[1..]
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    assert_eq!(waits[..7], [1, 2, 4, 8, 16, 30, 30]);

    sleep(seconds(11)).await;
    let missing = tokens.bearer().unwrap_err().to_string();
    assert!(
        missing.starts_with("the Entra ID token expired 10 s ago: down; set AZURE_TENANT_ID"),
        "{missing}"
    );
    let status = tokens.status();
    assert_eq!(status.failing_since, Some(start + minutes(55)));
    assert_eq!(status.valid_until, Some(start + minutes(60)));
    assert!(status.failures > 7);

    script.answer([Answer::Token("back", minutes(60))]);
    sleep(seconds(31)).await;
    assert!(bearer(&tokens).starts_with("Bearer back-"));
    let status = tokens.status();
    assert_eq!((status.failures, status.failing_since), (0, None));
    assert!(status.last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_refused() {
    let script = Script::new([
        Answer::Token("old", Duration::ZERO),
        Answer::Token("new", minutes(60)),
    ]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();
    assert_eq!(bearer(&tokens), "Bearer new-2");
    assert_eq!(script.calls()[1] - script.calls()[0], seconds(1));
}

#[tokio::test(start_paused = true)]
async fn token_that_is_no_header_value_is_refused() {
    for garbage in ["", "two words", "line\r\nbreak", "t\u{f6}ken", "nul\0"] {
        let tokens = Script::new([Answer::Exactly(garbage, minutes(60))]).tokens();
        let missing = tokens.first(seconds(5)).await.unwrap_err().to_string();
        assert!(missing.contains("it is no header value"), "{missing}");
        assert!(
            garbage.is_empty() || !missing.contains(garbage),
            "{missing}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_expires_too_far_in_the_future_is_refused() {
    let tokens = Script::new([Answer::Exactly("t", Duration::MAX)]).tokens();
    let missing = tokens.first(seconds(5)).await.unwrap_err().to_string();
    assert!(missing.contains("too far in the future"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn refused_token_does_not_replace_a_valid_one() {
    let script = Script::new([
        Answer::Token("t", minutes(60)),
        Answer::Exactly("", minutes(60)),
    ]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();
    sleep(minutes(58)).await;
    assert_eq!(bearer(&tokens), "Bearer t-1");
    assert!(tokens.status().failures > 0);
}

#[tokio::test(start_paused = true)]
async fn source_is_not_called_after_the_last_clone_is_dropped() {
    let script = Script::new([Answer::Token("t", minutes(60))]);
    let tokens = script.tokens();
    let clone = tokens.clone();
    tokens.first(seconds(5)).await.unwrap();
    drop(tokens);
    sleep(minutes(56)).await;
    assert_eq!(script.calls().len(), 2, "a clone lives");

    drop(clone);
    sleep(minutes(120)).await;
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_not_used_even_if_the_task_does_not_run() {
    let script = Script::new([Answer::Token("t", minutes(60)), Answer::Never]);
    let tokens = script.tokens();
    tokens.first(seconds(5)).await.unwrap();
    advance(minutes(60)).await;
    assert!(tokens.bearer().is_err());
}
