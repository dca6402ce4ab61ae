// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a config.json holds: it is converted as a whole, or there is an InvalidConfigException. */
class MutatedSpecTest {
    private static final long SEED = 20181109;
    private static final int ROUNDS = 3000;
    private static final List<String> VALUES = List.of(
            "null",
            "true",
            "-1",
            "0",
            "1",
            "4294967296",
            "18446744073709551616",
            "1e400",
            "0.5",
            "\"\"",
            "\"/\"",
            "\"a\"",
            "\"..\"",
            "\"\\u0000\"",
            "\"\\ud83d\"",
            "\"::\"",
            "\"/dev/shm\"",
            "\"/proc/1\"",
            "[]",
            "[null]",
            "[\"bind\"]",
            "{}",
            "{\"\": 1}");

    private final Random random = new Random(SEED);

    @TempDir
    Path bundle;

    @Test
    void mutatedDocumentsAreConvertedOrRefused() throws Exception {
        Files.createDirectory(bundle.resolve("rootfs"));
        int converted = 0;
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            String[] files = {"full.json", "podman.json", "containerd-cri.json", "docker.json"};
            String original = TestSpecs.resource(files[random.nextInt(files.length)]);
            byte[] mutated = random.nextBoolean() ? mutateTree(original) : mutateBytes(original);
            Files.write(bundle.resolve("config.json"), mutated);
            try {
                convert(mutated);
                converted++;
            } catch (InvalidConfigException e) {
                refused++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("round " + round + ": " + new String(mutated, StandardCharsets.UTF_8), e);
            }
        }
        assertThat(converted).as("rounds that leave a usable document").isGreaterThan(ROUNDS / 20);
        assertThat(refused).as("rounds that do not").isGreaterThan(ROUNDS / 20);
    }

    private void convert(byte[] json) {
        OciSpec spec = OciSpec.parse(json);
        assertThat(OciSpec.parse(spec.toJson())).isEqualTo(spec);
        Bundle loaded = Bundle.load(bundle);
        loaded.sandboxId("c1");
        GuestSpec guest = loaded.guestSpec(random.nextBoolean());
        String trimmed = guest.toJson(mount -> Optional.of(GuestPath.of("/guest")));
        assertThat(OciSpec.parse(trimmed).hooks().byKind().values()).allMatch(List::isEmpty);
        loaded.sandboxConfig("s1").build();
        if (spec.root().filter(root -> root.path().equals("rootfs")).isPresent()) {
            loaded.containerConfig("c1", guest, mount -> Optional.of(GuestPath.of("/guest")));
        }
    }

    private byte[] mutateBytes(String original) {
        byte[] bytes = original.getBytes(StandardCharsets.UTF_8);
        for (int i = random.nextInt(3); i >= 0; i--) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return bytes;
    }

    private byte[] mutateTree(String original) throws Exception {
        ObjectNode tree = TestSpecs.tree(original);
        for (int i = random.nextInt(3); i >= 0; i--) {
            List<JsonNode> containers = new ArrayList<>();
            collect(tree, containers);
            mutate(containers.get(random.nextInt(containers.size())));
        }
        return tree.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void collect(JsonNode node, List<JsonNode> containers) {
        if (node.isContainerNode() && !node.isEmpty()) {
            containers.add(node);
            node.forEach(child -> collect(child, containers));
        }
    }

    private void mutate(JsonNode container) throws Exception {
        JsonNode value = TestSpecs.JSON.readTree(VALUES.get(random.nextInt(VALUES.size())));
        int index = random.nextInt(container.size());
        if (container instanceof ArrayNode array) {
            array.set(index, value);
        } else {
            ObjectNode object = (ObjectNode) container;
            String name = object.propertyStream()
                    .skip(index)
                    .findFirst()
                    .orElseThrow()
                    .getKey();
            if (random.nextBoolean()) {
                object.set(name, value);
            } else {
                object.remove(name);
            }
        }
    }
}
