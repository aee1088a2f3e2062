//! The cost of selecting a backend and releasing it, on one thread and with other threads. A selection allocates once,
//! for `Selected`.

use std::{hint::black_box, time::Duration};

use divan::{AllocProfiler, Bencher};
use spillover_core::{
    Affinity, Attempts, Backend, Outcome, PeakEwma, Pool, Query, Scope, Weighted,
};
use tokio::time::Instant;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const BACKENDS: [usize; 4] = [1, 2, 8, 64];
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

/// Creates a pool with half of the backends in the first tier, and the rest in the second.
fn pool(backends: usize) -> Pool {
    let backend = |index: usize| {
        Backend::builder(index.to_string())
            .url("http://upstream.example")
            .priority(u32::from(index >= backends.div_ceil(2)))
            .build()
            .expect("it is valid")
    };
    Pool::new((0..backends).map(backend)).expect("it is valid")
}

fn bench_select(bencher: Bencher<'_, '_>, pool: &Pool) {
    let (attempts, scope, now) = (Attempts::new(), Scope::named("gpt-4o"), Instant::now());
    bencher.bench(|| {
        pool.select(
            &Query::new().attempts(&attempts).scope(scope),
            now,
            black_box(0x9e37_79b9_7f4a_7c15),
        )
    });
}

#[divan::bench(args = BACKENDS, threads = THREADS, sample_size = 1000)]
fn all_open(bencher: Bencher<'_, '_>, backends: usize) {
    bench_select(bencher, &pool(backends));
}

#[divan::bench(args = BACKENDS, threads = THREADS, sample_size = 1000)]
fn first_tier_throttled(bencher: Bencher<'_, '_>, backends: usize) {
    let pool = pool(backends);
    let (attempts, scope, now) = (Attempts::new(), Scope::named("gpt-4o"), Instant::now());
    for _ in 0..backends.div_ceil(2) {
        if let Ok(selected) = pool.select(&Query::new().attempts(&attempts).scope(scope), now, 0)
            && !selected.is_spill()
        {
            selected.record(&Outcome::throttled(Duration::from_secs(3600)), now);
        }
    }
    bench_select(bencher, &pool);
}

#[divan::bench(args = BACKENDS, threads = THREADS, sample_size = 1000)]
fn by_latency(bencher: Bencher<'_, '_>, backends: usize) {
    let pool = pool(backends);
    let (attempts, scope, now) = (Attempts::new(), Scope::named("gpt-4o"), Instant::now());
    let query = Query::new().attempts(&attempts).scope(scope);
    let strategy = PeakEwma::default();
    bencher.bench(|| {
        let draw = black_box(0x9e37_79b9_7f4a_7c15);
        pool.select(&query.strategy(&strategy), now, draw)
    });
}

#[divan::bench(args = BACKENDS, threads = THREADS, sample_size = 1000)]
fn by_key(bencher: Bencher<'_, '_>, backends: usize) {
    let pool = pool(backends);
    let (attempts, scope, now) = (Attempts::new(), Scope::named("gpt-4o"), Instant::now());
    let query = Query::new().attempts(&attempts).scope(scope);
    let (strategy, key) = (Weighted::default(), "5f3c2a90-8c1e-4a0e-9d55-0b6f1c7e2d11");
    bencher.bench(|| {
        let affinity = Affinity::by_key(black_box(key));
        pool.select(&query.affinity(affinity).strategy(&strategy), now, 0)
    });
}

/// Selects while another thread selects backends and records refusals.
#[divan::bench(args = BACKENDS)]
fn while_others_record(bencher: Bencher<'_, '_>, backends: usize) {
    let pool = pool(backends);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let now = Instant::now();
                if let Ok(selected) = pool.select(&Query::new(), now, 7) {
                    selected.record(&Outcome::throttled(Duration::from_millis(100)), now);
                }
            }
        });
        bench_select(bencher, &pool);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
