// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.oci.Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Makes bundles for tests: what engines write for a plain container, with changes. */
final class OciBundles {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final String PLAIN = """
            {
              'ociVersion': '1.1.0',
              'process': {
                'user': {'uid': 0, 'gid': 0},
                'args': ['true'],
                'env': ['PATH=/bin'],
                'cwd': '/',
                'capabilities': {
                  'bounding': ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_DAC_OVERRIDE'],
                  'effective': ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_DAC_OVERRIDE'],
                  'permitted': ['CAP_CHOWN', 'CAP_KILL', 'CAP_MKNOD', 'CAP_DAC_OVERRIDE']
                },
                'noNewPrivileges': true
              },
              'mounts': [
                {'destination': '/proc', 'type': 'proc', 'source': 'proc'},
                {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['nosuid', 'mode=755']},
                {'destination': '/dev/pts', 'type': 'devpts', 'source': 'devpts',
                 'options': ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']},
                {'destination': '/sys', 'type': 'sysfs', 'source': 'sysfs', 'options': ['ro']},
                {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup', 'options': ['ro']},
                {'destination': '/tmp', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['mode=1777']}
              ],
              'linux': {
                'resources': {'devices': [{'allow': false, 'access': 'rwm'}]},
                'namespaces': [
                  {'type': 'pid'}, {'type': 'network'}, {'type': 'ipc'}, {'type': 'uts'}, {'type': 'mount'},
                  {'type': 'cgroup'}
                ]
              }
            }
            """;

    private OciBundles() {}

    /**
     * Writes a bundle.
     *
     * @param changes a JSON merge patch (RFC 7386) to what is said of a plain container, with ' for "
     * @param script for a shell
     */
    static Bundle write(Path directory, Path rootfs, String changes, String script) throws IOException {
        ObjectNode spec = (ObjectNode) tree(PLAIN);
        spec.putObject("root").put("path", rootfs.toString());
        spec.withObject("/process").putArray("args").add("sh").add("-c").add(script);
        merge(spec, tree(changes));
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), spec.toString());
        return Bundle.load(directory);
    }

    private static JsonNode tree(String json) throws JsonProcessingException {
        return JSON.readTree(json.replace('\'', '"'));
    }

    private static void merge(ObjectNode target, JsonNode patch) {
        patch.properties().forEach(change -> {
            JsonNode value = change.getValue();
            if (value.isNull()) {
                target.remove(change.getKey());
            } else if (value.isObject() && target.path(change.getKey()).isObject()) {
                merge((ObjectNode) target.get(change.getKey()), value);
            } else {
                target.set(change.getKey(), value);
            }
        });
    }
}
