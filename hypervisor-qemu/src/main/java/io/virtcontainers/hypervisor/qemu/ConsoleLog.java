// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.buffer.ByteBuf;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a guest writes on its console, line by line, at the level debug of the logger {@code io.virtcontainers.console}. A
 * guest that writes for ever shall not fill the host's disk: lines and their number are limited. One event loop uses it.
 */
final class ConsoleLog {
    private static final Logger log = LoggerFactory.getLogger("io.virtcontainers.console");
    private static final int MAX_LINE_BYTES = 2048;
    static final int MAX_LINES = 20_000;

    private final String sandboxId;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private int lines;

    ConsoleLog(String sandboxId) {
        this.sandboxId = sandboxId;
    }

    /** Reads, and leaves the reader's index where it is. */
    void append(ByteBuf bytes) {
        if (!log.isDebugEnabled() || lines > MAX_LINES) {
            return;
        }
        for (int at = bytes.readerIndex(); at < bytes.writerIndex(); at++) {
            byte b = bytes.getByte(at);
            if (b == '\n' || line.size() == MAX_LINE_BYTES) {
                write();
            }
            if (b != '\n') {
                line.write(b);
            }
        }
    }

    private void write() {
        String text =
                TailBuffer.printable(line.toString(StandardCharsets.UTF_8)).strip();
        line.reset();
        if (!text.isEmpty() && lines <= MAX_LINES) {
            lines++;
            String shown = lines > MAX_LINES ? "more than " + MAX_LINES + " lines: the rest is not logged" : text;
            log.atDebug().addKeyValue("sandbox", sandboxId).log(shown);
        }
    }
}
