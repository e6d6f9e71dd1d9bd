//! apiserver-network-proxy as the Kubernetes project releases it, against our hub and our agent.

#[cfg(test)]
mod agent_of_ours;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod kube_apiserver;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod upstream_agent;
