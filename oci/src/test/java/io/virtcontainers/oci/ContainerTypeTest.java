// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.InvalidConfigException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContainerTypeTest {
    @ParameterizedTest
    @CsvSource({
        "io.kubernetes.cri.container-type, sandbox",
        "io.kubernetes.cri-o.ContainerType, sandbox",
        "io.kubernetes.docker.type, podsandbox"
    })
    void anEngineCanSayThatItIsASandbox(String key, String value) {
        assertThat(ContainerType.of(Map.of(key, value))).isEqualTo(ContainerType.SANDBOX);
        assertThat(ContainerType.sandboxId(Map.of(key, value))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "io.kubernetes.cri.container-type, io.kubernetes.cri.sandbox-id",
        "io.kubernetes.cri-o.ContainerType, io.kubernetes.cri-o.SandboxID",
        "io.kubernetes.docker.type, io.kubernetes.sandbox.id"
    })
    void anEngineCanSayThatItJoinsASandbox(String typeKey, String idKey) {
        Map<String, String> annotations = Map.of(typeKey, "container", idKey, "s1");

        assertThat(ContainerType.of(annotations)).isEqualTo(ContainerType.CONTAINER);
        assertThat(ContainerType.sandboxId(annotations)).contains("s1");
        assertThatThrownBy(() -> ContainerType.sandboxId(Map.of(typeKey, "container")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("annotations[\"" + idKey + "\"]: missing");
    }

    @Test
    void withoutAnyWordItHasASandboxForItself() {
        assertThat(ContainerType.of(Map.of("io.kubernetes.cri.sandbox-id", "s1")))
                .isEqualTo(ContainerType.SANDBOX);
    }

    @Test
    void anUnknownWordIsRefused() {
        assertThatThrownBy(() -> ContainerType.of(Map.of("io.kubernetes.cri-o.ContainerType", "vm")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage(
                        "annotations[\"io.kubernetes.cri-o.ContainerType\"]: \"vm\" must be one of sandbox, container");
    }

    @Test
    void hasKatasNames() {
        assertThat(ContainerType.SANDBOX).hasToString("pod_sandbox");
        assertThat(ContainerType.CONTAINER).hasToString("pod_container");
    }
}
