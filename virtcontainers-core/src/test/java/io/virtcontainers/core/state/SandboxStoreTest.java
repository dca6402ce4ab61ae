// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.DamagedStateException;
import io.virtcontainers.SandboxConfig;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SandboxStoreTest {
    @TempDir
    Path directory;

    private final SandboxRecord sample = Samples.of(SandboxRecord.class);

    private SandboxStore store() {
        return new SandboxStore(sample.id(), directory);
    }

    @Test
    void everyFieldOfEveryConfigSurvivesARoundTrip() throws Exception {
        store().write(sample);
        SandboxRecord read = store().read().orElseThrow();
        // Another reader than the writer, so that nothing comes out of memory; component by component, for the message.
        for (RecordComponent component : SandboxRecord.class.getRecordComponents()) {
            assertThat(component.getAccessor().invoke(read))
                    .as(component.getName())
                    .isEqualTo(component.getAccessor().invoke(sample));
        }
        assertThat(read).isEqualTo(sample);
    }

    @Test
    void theSampleLeavesNoFieldAtItsDefault() throws Exception {
        assertDiffers(sample.config(), SandboxConfig.builder("demo").build());
        assertDiffers(
                sample.containers().get(0).config(),
                ContainerConfig.builder("c")
                        .rootfs(io.virtcontainers.RootFs.directory(directory))
                        .command("true")
                        .build());
    }

    private static void assertDiffers(Record sample, Record defaults) throws Exception {
        for (RecordComponent component : sample.getClass().getRecordComponents()) {
            Object value = component.getAccessor().invoke(sample);
            if (!component.getName().equals("vcpus")) {
                assertThat(value)
                        .as(component.getName())
                        .isNotEqualTo(component.getAccessor().invoke(defaults));
            }
        }
    }

    @Test
    void aDocumentCutAtAnyByteIsDamagedAndKept() throws IOException {
        store().write(sample);
        byte[] whole = Files.readAllBytes(store().file());
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            Files.write(store().file(), cut);
            SandboxStore store = store();
            assertThatThrownBy(store::read)
                    .as("cut after %d bytes", length)
                    .isInstanceOf(DamagedStateException.class)
                    .hasMessageContaining(store.file().toString());
            assertThat(Files.readAllBytes(store.file())).isEqualTo(cut);
        }
    }

    @Test
    void aDocumentWithAChangedByteIsReadOrDamagedAndNothingElse() throws IOException {
        store().write(sample);
        byte[] whole = Files.readAllBytes(store().file());
        Random random = new Random(42);
        for (int round = 0; round < 2000; round++) {
            byte[] changed = whole.clone();
            changed[random.nextInt(changed.length)] = (byte) random.nextInt(256);
            Files.write(store().file(), changed);
            try {
                store().read();
            } catch (DamagedStateException expected) {
                assertThat(expected.file()).isEqualTo(store().file());
            }
        }
    }

    @Test
    void aFieldOfANewerLibraryIsIgnored() throws IOException {
        store().write(sample);
        ObjectNode tree = (ObjectNode) Json.MAPPER.readTree(Files.readAllBytes(store().file()));
        tree.put("invented", "later");
        ((ObjectNode) tree.get("config")).put("invented", 1);
        Files.write(store().file(), Json.MAPPER.writeValueAsBytes(tree));
        assertThat(store().read()).contains(sample);
    }

    @Test
    void aNewerVersionAForeignFileAndAnotherSandboxesFileAreRefused() throws IOException {
        Files.writeString(store().file(), "{\"version\": 2}");
        assertThatThrownBy(() -> store().read()).hasMessageContaining("version 2");
        Files.writeString(store().file(), "[1, 2]");
        assertThatThrownBy(() -> store().read()).hasMessageContaining("no version");
        store().write(sample);
        assertThatThrownBy(() -> new SandboxStore("other", directory).read())
                .isInstanceOf(DamagedStateException.class)
                .hasMessageContaining("that of sandbox " + sample.id());
    }

    @Test
    void noDocumentIsNoError() {
        assertThat(store().read()).isEmpty();
    }

    @Test
    void aWriteReplacesTheDocumentAndLeavesNothingElse() throws IOException {
        store().write(sample);
        store().write(sample.stopped("because"));
        assertThat(store().read().orElseThrow().stopReason()).contains("because");
        assertThat(directory.toFile().list()).containsExactly("sandbox.json");
    }
}
