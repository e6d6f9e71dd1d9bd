//! Defaults of a `KubeFedConfig`, filled in when it is created.

use federation_api::kinds::KubeFedConfigSpec;
use serde_json::Value;

/// Fills in KubeFed's defaults. A spec that is no config is left for validation to refuse.
pub(crate) fn config(object: &mut Value) {
    let Ok(mut spec) = serde_json::from_value::<KubeFedConfigSpec>(object["spec"].clone()) else {
        return;
    };
    spec.apply_defaults();
    if let Ok(spec) = serde_json::to_value(spec) {
        object["spec"] = spec;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_gets_its_defaults_and_keeps_what_it_says() {
        let mut object = json!({"spec": {"scope": "Cluster",
            "leaderElect": {"leaseDuration": "30s"}}});
        config(&mut object);
        assert_eq!(object["spec"]["leaderElect"]["leaseDuration"], "30s");
        assert_eq!(object["spec"]["clusterHealthCheck"]["failureThreshold"], 3);
        let mut nonsense = json!({"spec": {"scope": 5}});
        config(&mut nonsense);
        assert_eq!(nonsense, json!({"spec": {"scope": 5}}));
    }
}
