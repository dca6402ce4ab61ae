// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.InvalidConfigException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a container is to its sandbox, by the annotations of the engine that made the bundle. */
public enum ContainerType {
    /** It brings up its sandbox: the first container of a pod, or one that has a sandbox for itself. */
    SANDBOX("pod_sandbox"),
    /** It joins a sandbox that is there. */
    CONTAINER("pod_container");

    /** Kata's word for it, the value of {@link Annotations#CONTAINER_TYPE}. */
    private final String kataName;

    ContainerType(String kataName) {
        this.kataName = kataName;
    }

    /** Kata's word: {@code pod_sandbox} or {@code pod_container}. */
    @Override
    public String toString() {
        return kataName;
    }

    /** How one engine says it: the key of the type with its two words, and the key of the sandbox's id. */
    private record Keys(String type, String sandbox, String container, String sandboxId) {}

    private static final List<Keys> ENGINES = List.of(
            new Keys("io.kubernetes.cri.container-type", "sandbox", "container", "io.kubernetes.cri.sandbox-id"),
            new Keys("io.kubernetes.cri-o.ContainerType", "sandbox", "container", "io.kubernetes.cri-o.SandboxID"),
            new Keys("io.kubernetes.docker.type", "podsandbox", "container", "io.kubernetes.sandbox.id"));

    /**
     * The type that the annotations say; without any of them a container has a sandbox for itself.
     *
     * @throws InvalidConfigException if the key is there with another word
     */
    static ContainerType of(Map<String, String> annotations) {
        return keys(annotations).map(keys -> type(keys, annotations)).orElse(SANDBOX);
    }

    /**
     * The id of the sandbox that a container joins; empty if it brings up its own.
     *
     * @throws InvalidConfigException if it joins one and does not say which
     */
    static Optional<String> sandboxId(Map<String, String> annotations) {
        return keys(annotations)
                .filter(keys -> type(keys, annotations) == CONTAINER)
                .map(keys -> {
                    String id = annotations.getOrDefault(keys.sandboxId, "");
                    if (id.isEmpty()) {
                        throw error(keys.sandboxId, "missing");
                    }
                    return id;
                });
    }

    private static Optional<Keys> keys(Map<String, String> annotations) {
        return ENGINES.stream()
                .filter(keys -> annotations.containsKey(keys.type))
                .findFirst();
    }

    private static ContainerType type(Keys keys, Map<String, String> annotations) {
        String word = annotations.getOrDefault(keys.type, "");
        if (word.equals(keys.sandbox)) {
            return SANDBOX;
        }
        if (word.equals(keys.container)) {
            return CONTAINER;
        }
        throw error(keys.type, JsonObject.shown(word) + " must be one of " + keys.sandbox + ", " + keys.container);
    }

    private static InvalidConfigException error(String key, String problem) {
        return new InvalidConfigException("annotations[" + JsonObject.shown(key) + "]: " + problem);
    }
}
