//! The volumes of a Pod.

use super::super::at::{At, Findings, Taken};
use crate::kinds::NameRule;

/// Judges the volumes and returns their names.
pub(super) fn all(spec: &At<'_>, out: &mut Findings) -> Taken {
    let mut names = Taken::default();
    let account = !spec.field("serviceAccountName").text().is_empty();
    for volume in spec.field("volumes").items() {
        source(&volume, account, out);
        let name = volume.field("name");
        let before = out.len();
        name.needed_name(NameRule::Label, out);
        if out.len() == before {
            names.take(&name, out);
        }
    }
    names
}

/// The kinds of volumes, in upstream's order.
const KINDS: [&str; 18] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flexVolume",
    "configMap",
    "persistentVolumeClaim",
    "rbd",
    "cephfs",
    "downwardAPI",
    "csi",
    "projected",
    "ephemeral",
];

fn source(volume: &At<'_>, account: bool, out: &mut Findings) {
    let set = KINDS.iter().filter(|kind| volume.field(kind).is_set());
    for (index, kind) in set.enumerate() {
        let at = volume.field(kind);
        if index > 0 {
            out.push(at.forbidden("may not specify more than 1 volume type"));
            continue;
        }
        match *kind {
            "secret" => {
                needed(&at.field("secretName"), out);
                files(&at, out);
            }
            "configMap" => {
                needed(&at.field("name"), out);
                files(&at, out);
            }
            "downwardAPI" => mode(&at.field("defaultMode"), out),
            "persistentVolumeClaim" => needed(&at.field("claimName"), out),
            "hostPath" => host_path(&at, out),
            "nfs" => {
                needed(&at.field("server"), out);
                let path = at.field("path");
                needed(&path, out);
                if !path.text().starts_with('/') {
                    out.push(path.invalid("must be an absolute path"));
                }
            }
            "csi" => needed(&at.field("driver"), out),
            "projected" => projected(&at, account, out),
            _ => {}
        }
    }
}

fn needed(at: &At<'_>, out: &mut Findings) {
    if at.text().is_empty() {
        out.push(at.required(""));
    }
}

fn mode(at: &At<'_>, out: &mut Findings) {
    if at.number().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        out.push(at.invalid("must be a number between 0 and 0777 (octal), both inclusive"));
    }
}

/// The files that keys of a Secret or ConfigMap become.
fn files(source: &At<'_>, out: &mut Findings) {
    mode(&source.field("defaultMode"), out);
    for item in source.field("items").items() {
        needed(&item.field("key"), out);
        let path = item.field("path");
        needed(&path, out);
        inside(&path, out);
        mode(&item.field("mode"), out);
    }
}

/// A path that stays within its volume.
fn inside(path: &At<'_>, out: &mut Findings) {
    if path.text().starts_with('/') {
        out.push(path.invalid("must be a relative path"));
    }
    if path.text().split('/').any(|part| part == "..") {
        out.push(path.invalid("must not contain '..'"));
    }
}

fn host_path(source: &At<'_>, out: &mut Findings) {
    let path = source.field("path");
    needed(&path, out);
    if path.text().split('/').any(|part| part == "..") {
        out.push(path.invalid("must not contain '..'"));
    }
    source.field("type").one_of_if_set(
        &[
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ],
        out,
    );
}

fn projected(volume: &At<'_>, account: bool, out: &mut Findings) {
    mode(&volume.field("defaultMode"), out);
    for source in volume.field("sources").items() {
        for kind in ["secret", "configMap"] {
            let at = source.field(kind);
            if at.is_set() {
                needed(&at.field("name"), out);
                files(&at, out);
            }
        }
        let token = source.field("serviceAccountToken");
        if token.is_set() {
            if !account {
                out.push(
                    token.forbidden("must not be specified when serviceAccountName is not set"),
                );
            }
            let path = token.field("path");
            needed(&path, out);
            inside(&path, out);
        }
    }
}
