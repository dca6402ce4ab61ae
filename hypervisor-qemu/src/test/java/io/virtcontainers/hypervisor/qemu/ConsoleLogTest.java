// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** What a guest writes becomes lines of the log, within limits. */
class ConsoleLogTest {
    private final Logger logger = (Logger) LoggerFactory.getLogger("io.virtcontainers.console");
    private final ListAppender<ILoggingEvent> appender = new ListAppender<>();
    private final ConsoleLog log = new ConsoleLog("s1");

    @BeforeEach
    void open() {
        logger.setLevel(Level.DEBUG);
        logger.setAdditive(false);
        logger.addAppender(appender);
        appender.start();
    }

    @AfterEach
    void close() {
        logger.detachAppender(appender);
        logger.setAdditive(true);
        logger.setLevel(null);
    }

    private void write(String text) {
        ByteBuf bytes = Unpooled.copiedBuffer(text, UTF_8);
        log.append(bytes);
        assertThat(bytes.readableBytes()).isEqualTo(text.getBytes(UTF_8).length);
    }

    private List<String> lines() {
        return appender.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    @Test
    void linesArePutTogetherAndCannotSteerATerminal() {
        write("Linux ver");
        write("sion 6\r\n\n\u001b[31mred\nbegun");
        assertThat(lines()).containsExactly("Linux version 6", "?[31mred");
        assertThat(appender.list.get(0).getKeyValuePairs().get(0).toString()).isEqualTo("sandbox=\"s1\"");
    }

    @Test
    void aLineAndTheirNumberAreLimited() {
        write("x".repeat(5000) + "\n");
        assertThat(lines()).extracting(String::length).containsExactly(2048, 2048, 904);
        for (int i = 0; i < ConsoleLog.MAX_LINES; i++) {
            write("y\n");
        }
        assertThat(lines()).hasSize(ConsoleLog.MAX_LINES + 1);
        assertThat(lines().get(ConsoleLog.MAX_LINES)).startsWith("more than " + ConsoleLog.MAX_LINES + " lines");
    }

    @Test
    void nothingIsKeptIfNobodyWantsIt() {
        logger.setLevel(Level.INFO);
        write("a line\n");
        assertThat(lines()).isEmpty();
    }
}
