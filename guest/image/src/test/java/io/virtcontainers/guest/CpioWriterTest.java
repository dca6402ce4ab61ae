// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;

final class CpioWriterTest {
    @Test
    void writesTheseBytes() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (CpioWriter cpio = new CpioWriter(out)) {
            cpio.directory("/d", 0755);
            cpio.file("/d/f", 0644, Content.of("hello"));
            cpio.characterDevice("/c", 0600, 5, 1);
        }
        // magic ino mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
        String expected = "070701" + "00000001" + "000041ed" + "00000000" + "00000000" + "00000002" + "00000000"
                + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" + "d\0"
                + "070701" + "00000002" + "000081a4" + "00000000" + "00000000" + "00000001" + "00000000"
                + "00000005" + "00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "d/f\0"
                + "\0\0" + "hello\0\0\0"
                + "070701" + "00000003" + "00002180" + "00000000" + "00000000" + "00000001" + "00000000"
                + "00000000" + "00000000" + "00000000" + "00000005" + "00000001" + "00000002" + "00000000" + "c\0"
                + "070701" + "00000000" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000"
                + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" + "0000000b" + "00000000"
                + "TRAILER!!!\0" + "\0\0\0";
        String written = out.toString(StandardCharsets.ISO_8859_1);
        assertThat(written).startsWith(expected).hasSize(512);
        assertThat(written.substring(expected.length())).matches("\0*");
    }

    @Test
    void anIndependentReaderUnderstandsIt() throws IOException {
        Initrd initrd = new Initrd();
        for (int size = 0; size < 9; size++) {
            initrd.add(new GuestFile("/usr/bin/f" + size, 0755, Content.of("x".repeat(size)), Optional.empty()));
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        initrd.write(out);
        List<String> names = new ArrayList<>();
        try (CpioArchiveInputStream cpio = new CpioArchiveInputStream(new ByteArrayInputStream(out.toByteArray()))) {
            for (CpioArchiveEntry entry = cpio.getNextEntry(); entry != null; entry = cpio.getNextEntry()) {
                names.add(entry.getName());
                byte[] content = cpio.readAllBytes();
                if (entry.getName().startsWith("usr/bin/f")) {
                    assertThat(content).hasSize(Integer.parseInt(entry.getName().substring(9)));
                    assertThat(entry.getMode()).isEqualTo(0100755);
                }
                assertThat(entry.getUID()).isZero();
                assertThat(entry.getTime()).isZero();
            }
        }
        assertThat(names)
                .contains("proc", "sys", "dev", "run", "tmp", "etc", "mnt", "dev/console", "usr/bin/f8")
                .doesNotHaveDuplicates();
        assertThat(names.indexOf("usr")).isLessThan(names.indexOf("usr/bin"));
        assertThat(names.indexOf("usr/bin")).isLessThan(names.indexOf("usr/bin/f0"));
        assertThat(names.indexOf("dev")).isLessThan(names.indexOf("dev/console"));
    }
}
