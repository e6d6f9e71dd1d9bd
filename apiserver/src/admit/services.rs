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
use crate::status::{ApiError, FieldError};

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
        return Ok(());
    }
    // Most writes need no number, and looking which are taken means reading all Services.
    let mut taken = LazyCell::new(|| Taken::now(api));
    let asked = wishes(spec, attributes.old.map(|old| &old["spec"]), &service_type);
    if !asked.is_empty() {
        let findings = taken.refused(&asked);
        if !findings.is_empty() {
            let error = ApiError::invalid("", "Service", attributes.name, &findings);
            return Err(error);
        }
    }
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

/// A number that the client asks for.
enum Wish {
    Address(Ipv4Addr),
    /// A port with its place in the list.
    Port(usize, u64),
}

/// What the client asks for and does not have yet. What is no address is left to validation.
fn wishes(spec: &Value, old: Option<&Value>, service_type: &str) -> Vec<Wish> {
    let mut asked = Vec::new();
    let had = old.map_or(&Value::Null, |old| &old["clusterIP"]);
    let address = spec["clusterIP"]
        .as_str()
        .and_then(|text| text.parse().ok());
    asked.extend(
        address
            .filter(|_| spec["clusterIP"] != *had)
            .map(Wish::Address),
    );
    if !matches!(service_type, "NodePort" | "LoadBalancer") {
        return asked;
    }
    let ports_of = |spec: &Value| -> Vec<u64> {
        let ports = spec["ports"].as_array().into_iter().flatten();
        ports
            .map(|port| port["nodePort"].as_u64().unwrap_or(0))
            .collect()
    };
    let had = old.map(ports_of).unwrap_or_default();
    for (index, port) in ports_of(spec).into_iter().enumerate() {
        if port != 0 && !had.contains(&port) {
            asked.push(Wish::Port(index, port));
        }
    }
    asked
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

    /// Why a wish cannot be met.
    fn refused(&self, asked: &[Wish]) -> Vec<FieldError> {
        let mut findings = Vec::new();
        for wish in asked {
            match wish {
                Wish::Address(ip) => {
                    let why = if u32::from(*ip) >> 16 != RANGE >> 16 {
                        format!(
                            "the provided IP ({ip}) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
                        )
                    } else if self.addresses.contains(&ip.to_string()) {
                        "provided IP is already allocated".to_owned()
                    } else {
                        continue;
                    };
                    let detail = format!("failed to allocate IP {ip}: {why}");
                    let value = json!([ip.to_string()]);
                    findings.push(FieldError::invalid("spec.clusterIPs", &value, detail));
                }
                Wish::Port(index, port) => {
                    let detail = if !u16::try_from(*port).is_ok_and(|port| PORTS.contains(&port)) {
                        "provided port is not in the valid range. The range of valid ports is 30000-32767"
                    } else if self.ports.contains(port) {
                        "provided port is already allocated"
                    } else {
                        continue;
                    };
                    let path = format!("spec.ports[{index}].nodePort");
                    findings.push(FieldError::invalid(path, &(*port).into(), detail));
                }
            }
        }
        findings
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
