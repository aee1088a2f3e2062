//! `spillover demo`: runs the gateway in front of mock backends for a few seconds, and prints which backend served what.

mod account;
mod fleet;

use std::{io, sync::Arc, time::Duration};

use hyper_util::client::legacy::connect::HttpConnector;
use spillover_core::Pool;
use spillover_serve::{Connections, ListenAddr, Listener, Server, Shutdown, Signals};
use spillover_testing::demo::{Fleet, Traffic};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tower_spillover::select::WhenExhausted;

use self::account::Account;
use crate::app::{App, Settings};

/// Runs the demo. With `stay`, serves without traffic of its own until a signal stops it.
pub(crate) async fn run(listen: ListenAddr, stay: bool) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let listeners = [Listener {
        address: listen,
        tls: None,
    }];
    let server = Server::bind(&listeners, Connections::default(), Shutdown::default());
    let server = server.await.map_err(io::Error::other)?;
    let address = server.addresses()?[0];
    let fleet = Fleet::start().await?;
    let pool = fleet::pool(&fleet).map_err(io::Error::other)?;
    let settings = Settings {
        pool: pool.clone(),
        http_timeout: Duration::from_secs(10),
        when_exhausted: WhenExhausted::default(),
        expose_backend_url: false,
    };
    let app = App::new(settings);

    let (show_over, mut over) = mpsc::channel::<()>(1);
    let stop = async || {
        tokio::select! {
            () = signals.next() => {}
            Some(()) = over.recv() => {}
        }
    };
    let served = server.run(|| app.service_over(HttpConnector::new()), stop);
    let shown = async {
        println!("{}", fleet::introduction(&fleet));
        println!(
            "{RATE} chat requests a second for {SECONDS} seconds, every other one a stream, to http://{address}\n"
        );
        let account = show(&format!("http://{address}"), &pool, &fleet).await;
        println!("\n{}", account.summary(&fleet));
        if stay {
            println!("{}", invitation(&address.to_string()));
            println!("{}", fleet::variables(&fleet));
        } else {
            // Fails when a signal has stopped the server already.
            let _ = show_over.send(()).await;
        }
    };
    let (served, ()) = tokio::join!(served, shown);
    served
}

/// Runs the traffic, and prints a line per second.
async fn show(url: &str, pool: &Pool, fleet: &Fleet) -> Account {
    let traffic = Arc::new(Traffic::new(url));
    let mut account = Account::new(pool);
    println!("{}", account.heading());

    let mut sample = interval(SAMPLE);
    sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut request = interval(Duration::from_secs(1) / RATE);
    let begun = Instant::now();
    let mut lines = 0;
    while lines < SECONDS {
        tokio::select! {
            now = sample.tick() => {
                account.sample(pool, now);
                if now - begun >= Duration::from_secs(u64::from(lines) + 1) {
                    lines += 1;
                    println!("{}", account.line(lines, fleet, &traffic));
                }
            }
            _ = request.tick(), if traffic.sent() < u64::from(RATE * SECONDS) => {
                Arc::clone(&traffic).send();
            }
        }
    }
    traffic.finish().await;
    account.finish(&traffic);
    account
}

fn invitation(address: &str) -> String {
    format!(
        "It stays up until Ctrl-C. Ask it something:\n\n  \
         curl -i http://{address}/v1/chat/completions -H 'content-type: application/json' \\\n    \
         -d '{{\"model\": \"gpt-4o\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello!\"}}]}}'\n\n\
         The response says in x-spillover-backend who answered. Add \"stream\": true for a stream.\n"
    )
}

const RATE: u32 = 50;
const SECONDS: u32 = 8;

/// Interval of samples of the pool, shorter than the shortest cooldown of 100 ms.
const SAMPLE: Duration = Duration::from_millis(10);
