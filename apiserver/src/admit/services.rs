//! Addresses and node ports of Services: random ones that no other Service has.
//!
//! Two Services made at the very same moment could get the same number, with a chance of one in the size of the range; upstream
//! rules that out with allocation objects, which is more than a playground needs.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Attributes, Operation};
use crate::api::Api;
use crate::status::ApiError;

const SERVICES: &str = "/services";
/// First address of the /16 that cluster IPs come from.
const RANGE: u32 = u32::from_be_bytes([10, 96, 0, 0]);
/// Node ports, as upstream's default.
const PORTS: std::ops::Range<u16> = 30_000..32_768;

/// Gives a Service what it needs and does not have.
///
/// # Errors
/// 500 if every number is taken.
pub(super) fn allocate(
    api: &Api,
    attributes: &Attributes<'_>,
    object: &mut Value,
) -> Result<(), ApiError> {
    let kind = attributes.kind;
    let service = kind.group.is_empty() && &*kind.plural == "services";
    if !service || !attributes.subresource.is_empty() || attributes.operation == Operation::Delete {
        return Ok(());
    }
    let spec = &mut object["spec"];
    let service_type = spec["type"].as_str().unwrap_or_default().to_owned();
    if service_type == "ExternalName" {
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("clusterIP");
            fields.remove("clusterIPs");
        }
        return Ok(());
    }
    // Most writes need no number, and looking which are taken means reading all Services.
    let mut taken = LazyCell::new(|| Taken::now(api));
    if spec["clusterIP"].as_str().unwrap_or_default().is_empty() {
        spec["clusterIP"] = taken.address(api)?.to_string().into();
    }
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
    if !matches!(service_type.as_str(), "NodePort" | "LoadBalancer") {
        return Ok(());
    }
    let wants = service_type == "NodePort" || spec["allocateLoadBalancerNodePorts"] != false;
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        if wants && port["nodePort"].as_u64().unwrap_or(0) == 0 {
            port["nodePort"] = taken.free_port(api)?.into();
        }
    }
    if service_type == "LoadBalancer"
        && spec["externalTrafficPolicy"] == "Local"
        && spec["healthCheckNodePort"].as_u64().unwrap_or(0) == 0
    {
        spec["healthCheckNodePort"] = taken.free_port(api)?.into();
    }
    Ok(())
}

/// What other Services have.
struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<u64>,
}

impl Taken {
    fn now(api: &Api) -> Self {
        let mut taken = Self {
            addresses: BTreeSet::new(),
            ports: BTreeSet::new(),
        };
        let snapshot = api.cache.list(SERVICES);
        for object in snapshot.objects.values() {
            let value = object.to_value();
            let spec = &value["spec"];
            taken
                .addresses
                .extend(spec["clusterIP"].as_str().map(str::to_owned));
            taken.ports.extend(spec["healthCheckNodePort"].as_u64());
            let ports = spec["ports"].as_array().into_iter().flatten();
            taken
                .ports
                .extend(ports.filter_map(|port| port["nodePort"].as_u64()));
        }
        taken
    }

    fn address(&self, api: &Api) -> Result<Ipv4Addr, ApiError> {
        // The first 256 addresses are left to people, the last is the broadcast address.
        let start = (api.seams.random() % 65_000) as u32;
        (0..65_000_u32)
            .map(|step| Ipv4Addr::from(RANGE + 256 + (start + step) % 65_000))
            .find(|address| !self.addresses.contains(&address.to_string()))
            .ok_or_else(|| ApiError::internal("no cluster IP is free"))
    }

    fn free_port(&mut self, api: &Api) -> Result<u64, ApiError> {
        let size = u64::from(PORTS.end - PORTS.start);
        let start = (api.seams.random() % u128::from(size)) as u64;
        let found = (0..size)
            .map(|step| u64::from(PORTS.start) + (start + step) % size)
            .find(|port| !self.ports.contains(port))
            .ok_or_else(|| ApiError::internal("no node port is free"))?;
        self.ports.insert(found);
        Ok(found)
    }
}
