//! What a server is made of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apiserver_store::Store;
use serde_json::Value;
use tokio::net::TcpListener;

use super::certificates::Certificates;
use super::handle::ServerHandle;
use super::start::{self, StartError};
use crate::admit::Admission;
use crate::api::Api;
use crate::auth::{AlwaysAllow, Authorizer, TokenAuthenticator, TokenTable};
use crate::cache::{Cache, CacheOptions};
use crate::convert::Converter;
use crate::http::{Extension, HealthCheck, Limits};
use crate::kinds::{Kind, Registry};
use crate::seams::Seams;

/// An API server. Only a name to start from: see [`Server::builder`].
#[derive(Clone, Copy, Debug)]
pub struct Server;

impl Server {
    /// Starts to describe a server on a store, which it will close at its end, with certificates.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use apiserver::{Certificates, Server, seams::Seams};
    /// use apiserver_store::{MemoryBackend, Store, StoreOptions};
    /// let store = Store::open(MemoryBackend::new(), StoreOptions::default()).await?;
    /// let seams = Seams::system();
    /// let certificates = Certificates::open("pki".as_ref(), &[], &seams)?;
    /// let server = Server::builder(store, certificates).start().await?;
    /// server.kubeconfig("demo")?.write("kubeconfig".as_ref())?;
    /// server.ready().await;
    /// server.shutdown().await;
    /// # Ok(()) }
    /// ```
    pub fn builder(store: Store, certificates: Certificates) -> ServerBuilder {
        ServerBuilder {
            store,
            certificates,
            seams: Seams::system(),
            listen: Listen::Address(SocketAddr::from(([127, 0, 0, 1], 0))),
            kinds: None,
            crds: Vec::new(),
            objects: Vec::new(),
            admission: Vec::new(),
            converters: Vec::new(),
            tokens: TokenTable::new(),
            authenticators: Vec::new(),
            authorizer: Arc::new(AlwaysAllow),
            extensions: Vec::new(),
            checks: Vec::new(),
            limits: Limits::default(),
            cache: CacheOptions::default(),
            shutdown_delay: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

pub(super) enum Listen {
    Address(SocketAddr),
    Listener(TcpListener),
}

/// What a server gives to the extensions that are made for it.
#[derive(Clone)]
pub struct Parts {
    /// What the verbs work on, for [`LocalClient`](crate::local::LocalClient).
    pub api: Api,
    /// Who may do what, as the server itself asks it before a request reaches an extension.
    pub authorizer: Arc<dyn Authorizer>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({:?})", self.api)
    }
}

/// Makes an extension.
pub(super) type MakeExtension = Box<dyn FnOnce(&Parts) -> Arc<dyn Extension> + Send>;

/// Makes an admission plugin.
type MakePlugin = Box<dyn FnOnce(&Cache, &Arc<Registry>) -> Arc<dyn Admission> + Send>;

pub(super) enum Plugin {
    Ready(Arc<dyn Admission>),
    Made(MakePlugin),
}

impl Plugin {
    pub(super) fn make(self, cache: &Cache, registry: &Arc<Registry>) -> Arc<dyn Admission> {
        match self {
            Self::Ready(plugin) => plugin,
            Self::Made(make) => make(cache, registry),
        }
    }
}

/// What is known of a server that is yet to start.
#[must_use = "a server exists only once it is started"]
pub struct ServerBuilder {
    pub(super) store: Store,
    pub(super) certificates: Certificates,
    pub(super) seams: Seams,
    pub(super) listen: Listen,
    pub(super) kinds: Option<Vec<Arc<Kind>>>,
    pub(super) crds: Vec<Value>,
    pub(super) objects: Vec<Value>,
    pub(super) admission: Vec<Plugin>,
    pub(super) converters: Vec<Arc<dyn Converter>>,
    pub(super) tokens: TokenTable,
    pub(super) authenticators: Vec<Arc<dyn TokenAuthenticator>>,
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) extensions: Vec<MakeExtension>,
    pub(super) checks: Vec<HealthCheck>,
    pub(super) limits: Limits,
    pub(super) cache: CacheOptions,
    pub(super) shutdown_delay: Duration,
    pub(super) drain: Duration,
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerBuilder")
    }
}

impl ServerBuilder {
    /// Listens on an address; port 0 takes a free one. Without this: 127.0.0.1, a free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Listen::Address(address);
        self
    }

    /// Listens on a socket that is already bound.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listen = Listen::Listener(listener);
        self
    }

    /// Clock and randomness, instead of the machine's.
    pub fn seams(mut self, seams: Seams) -> Self {
        self.seams = seams;
        self
    }

    /// The built-in kinds, instead of all that the library knows.
    pub fn kinds(mut self, kinds: Vec<Arc<Kind>>) -> Self {
        self.kinds = Some(kinds);
        self
    }

    /// A CustomResourceDefinition that must exist, as given, before the server is ready: it is created, or its `spec`
    /// is updated.
    pub fn crd(mut self, crd: Value) -> Self {
        self.crds.push(crd);
        self
    }

    /// Another admission plugin, called after those added before.
    pub fn admission(mut self, admission: Arc<dyn Admission>) -> Self {
        self.admission.push(Plugin::Ready(admission));
        self
    }

    /// Another admission plugin, made once the server's cache and table of kinds exist, for plugins that look things up.
    pub fn admission_with(
        mut self,
        make: impl FnOnce(&Cache, &Arc<Registry>) -> Arc<dyn Admission> + Send + 'static,
    ) -> Self {
        self.admission.push(Plugin::Made(Box::new(make)));
        self
    }

    /// An object that is created, if it does not exist, before the server is ready: after the CRDs, in the order given.
    pub fn object(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    /// Another converter; the first that handles a kind converts it.
    pub fn converter(mut self, converter: Arc<dyn Converter>) -> Self {
        self.converters.push(converter);
        self
    }

    /// Fixed bearer tokens, added to those given before.
    pub fn tokens(mut self, tokens: TokenTable) -> Self {
        self.tokens = self.tokens.merged(tokens);
        self
    }

    /// Another way to know users by token, asked after the fixed ones and the ServiceAccounts'.
    pub fn authenticator(mut self, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        self.authenticators.push(authenticator);
        self
    }

    /// Who may do what, instead of [`AlwaysAllow`].
    pub fn authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer = authorizer;
        self
    }

    /// Handlers of the embedding program.
    pub fn extension(self, extension: Arc<dyn Extension>) -> Self {
        self.extension_with(|_| extension)
    }

    /// Handlers of the embedding program that look things up or ask who may do what: made once the server has both.
    pub fn extension_with(
        mut self,
        make: impl FnOnce(&Parts) -> Arc<dyn Extension> + Send + 'static,
    ) -> Self {
        self.extensions.push(Box::new(make));
        self
    }

    /// Another health check.
    pub fn check(mut self, check: HealthCheck) -> Self {
        self.checks.push(check);
        self
    }

    /// Bounds on what clients can ask for, instead of kube-apiserver's.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How much of the past the cache keeps in memory.
    pub fn cache(mut self, options: CacheOptions) -> Self {
        self.cache = options;
        self
    }

    /// At shutdown, how long `/readyz` fails before connections are refused (balancers need to see it; default 0), and
    /// how long requests in flight may then take (default 10 s).
    pub fn shutdown_times(mut self, delay: Duration, drain: Duration) -> Self {
        self.shutdown_delay = delay;
        self.drain = drain;
        self
    }

    /// Starts the server on the current tokio runtime. Returns when it listens; [`ServerHandle::ready`] tells when it
    /// serves everything.
    ///
    /// # Errors
    /// If the address, the certificates or the store cannot be used, or a CRD is refused. Nothing keeps running then,
    /// but the store stays open.
    pub async fn start(self) -> Result<ServerHandle, StartError> {
        start::start(self).await
    }
}
