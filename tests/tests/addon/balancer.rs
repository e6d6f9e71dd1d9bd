//! What a Service is to its Pods: one address, whose connections go to those that are ready.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// Between two looks at whether somebody connects.
const ACCEPT_PAUSE: Duration = Duration::from_millis(2);
/// Between two probes of readiness.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// A TCP load balancer on loopback, in threads. Ends when dropped.
pub(crate) struct Balancer {
    port: u16,
    inner: Arc<Inner>,
    acceptor: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    prober: Option<JoinHandle<()>>,
}

struct Inner {
    backends: Mutex<Vec<Backend>>,
    /// If set, all connections go here.
    detour: Mutex<Option<SocketAddr>>,
    open: Mutex<Vec<TcpStream>>,
    turn: AtomicUsize,
    stop: AtomicBool,
}

#[derive(Clone, Copy)]
struct Backend {
    address: SocketAddr,
    health: SocketAddr,
    is_ready: bool,
}

impl Balancer {
    pub(crate) fn start() -> Self {
        let port = federation_tests::upstream::free_port();
        let inner = Arc::new(Inner {
            backends: Mutex::default(),
            detour: Mutex::default(),
            open: Mutex::default(),
            turn: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let probed = inner.clone();
        let mut balancer = Self {
            port,
            inner,
            acceptor: None,
            prober: Some(spawn(move || probed.probe())),
        };
        balancer.open();
        balancer
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on this one gets connections while it is ready.
    pub(crate) fn add(&self, address: SocketAddr, health: SocketAddr) {
        self.inner.backends.lock().unwrap().push(Backend {
            address,
            health,
            is_ready: false,
        });
    }

    /// Sends everything that connects from now on here, whether it is ready or not; `None` ends that. Cuts what is connected.
    pub(crate) fn detour(&self, address: Option<SocketAddr>) {
        *self.inner.detour.lock().unwrap() = address;
        self.cut();
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for stream in self.inner.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens (again).
    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("our port");
        listener.set_nonblocking(true).expect("our socket");
        let stop = Arc::new(AtomicBool::new(false));
        let (inner, stopped) = (self.inner.clone(), stop.clone());
        let accepting = spawn(move || inner.accept(&listener, &stopped));
        self.acceptor = Some((stop, accepting));
    }

    /// Nobody listens any more: connections are refused. Cuts what is connected.
    pub(crate) fn close(&mut self) {
        if let Some((stop, accepting)) = self.acceptor.take() {
            stop.store(true, Ordering::Release);
            accepting.join().expect("the acceptor does not panic");
        }
        self.cut();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.close();
        self.inner.stop.store(true, Ordering::Release);
        if let Some(prober) = self.prober.take() {
            let _ = prober.join();
        }
    }
}

impl Inner {
    fn accept(&self, listener: &TcpListener, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            match listener.accept() {
                Ok((stream, _)) => self.forward(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(ACCEPT_PAUSE),
                Err(error) => panic!("accept: {error}"),
            }
        }
    }

    fn forward(&self, from: TcpStream) {
        let Some(to) = self.connect() else {
            return;
        };
        from.set_nonblocking(false).expect("our socket");
        for (from, to) in [(&from, &to), (&to, &from)] {
            let _ = from.set_nodelay(true);
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
        let mut open = self.open.lock().unwrap();
        open.push(from);
        open.push(to);
    }

    /// A connection to the next one that is ready and takes it.
    fn connect(&self) -> Option<TcpStream> {
        if let Some(detour) = *self.detour.lock().unwrap() {
            return TcpStream::connect(detour).ok();
        }
        let backends = self.backends.lock().unwrap().clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..backends.len())
            .map(|offset| backends[(turn + offset) % backends.len()])
            .filter(|backend| backend.is_ready)
            .find_map(|backend| TcpStream::connect(backend.address).ok())
    }

    fn probe(&self) {
        while !self.stop.load(Ordering::Acquire) {
            let backends = self.backends.lock().unwrap().clone();
            for (index, backend) in backends.iter().enumerate() {
                let is_ready = is_ready(backend.health);
                if let Some(held) = self.backends.lock().unwrap().get_mut(index) {
                    held.is_ready = is_ready;
                }
            }
            sleep(PROBE_PAUSE);
        }
    }
}

/// `GET /readyz` says 200.
pub(crate) fn is_ready(health: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(health)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
