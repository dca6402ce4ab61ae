// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TailBufferTest {
    private static void append(TailBuffer tail, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        tail.append(bytes, 0, bytes.length);
    }

    @Test
    void keepsWhatFits() {
        TailBuffer tail = new TailBuffer(8);
        append(tail, "abc");
        append(tail, "defgh");
        assertThat(tail.text()).isEqualTo("abcdefgh");
    }

    @Test
    void dropsTheOldestAndTheLineThatLostItsBeginning() {
        TailBuffer tail = new TailBuffer(8);
        append(tail, "first\nsecond");
        append(tail, "\n3\n4");
        assertThat(tail.text()).isEqualTo("3\n4");
    }

    @Test
    void keepsTheEndOfWhatIsLargerThanItself() {
        TailBuffer tail = new TailBuffer(4);
        append(tail, "0123456789");
        assertThat(tail.text()).isEqualTo("6789");
    }

    @Test
    void agreesWithASimpleModel() {
        Random random = new Random(1);
        TailBuffer tail = new TailBuffer(37);
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            String piece = "abcdefghij".repeat(10).substring(0, random.nextInt(90));
            append(tail, piece);
            all.append(piece);
            assertThat(tail.text()).isEqualTo(all.substring(Math.max(0, all.length() - 37)));
        }
    }

    @Test
    void hidesWhatCouldSteerATerminal() {
        TailBuffer tail = new TailBuffer(100);
        append(tail, "a\u001b[2Jb\u0007\r\n\tc\u009bd\u202ee\u00fc");
        assertThat(tail.text()).isEqualTo("a?[2Jb?\n\tc?d?e\u00fc");
    }

    @Test
    void survivesBytesThatAreNoText() {
        TailBuffer tail = new TailBuffer(16);
        tail.append(new byte[] {(byte) 0xff, (byte) 0xc3, 'x'}, 0, 3);
        assertThat(tail.text()).endsWith("x");
    }
}
