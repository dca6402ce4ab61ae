// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.net.ProtocolException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bytes by hand, from the tables of the specification. */
class YamuxFrameTest {
    @ParameterizedTest
    @CsvSource({
        // version type flags stream length
        "000000000000000100000005, 0, 0, 1, 5",
        "000100010000000100000000, 1, 1, 1, 0",
        "000100020000000300040000, 1, 2, 3, 262144",
        "000000040000000100000000, 0, 4, 1, 0",
        "000100080000000700000000, 1, 8, 7, 0",
        "000200010000000000000001, 2, 1, 0, 1",
        "0002000200000000ffffffff, 2, 2, 0, 4294967295",
        "000300000000000000000001, 3, 0, 0, 1",
        "00010003fffffffd00000000, 1, 3, -3, 0",
    })
    void isWrittenAndReadAsSpecified(String hex, int type, int flags, int stream, long length) throws Exception {
        YamuxFrame frame = new YamuxFrame(type, flags, stream, length);
        var out = Unpooled.buffer();
        frame.writeTo(out);
        assertThat(ByteBufUtil.hexDump(out)).isEqualTo(hex);
        assertThat(YamuxFrame.read(out)).isEqualTo(frame);
    }

    @ParameterizedTest
    @CsvSource({
        "010000000000000100000005, version 0", // version 1
        "485454502f312e3120343030, version 0", // HTTP/1.1 400
        "000400000000000100000000, unknown type",
        "00ff00000000000100000000, unknown type",
        "000000100000000100000000, unknown type or flags",
        "000180000000000100000000, unknown type or flags",
        "000000000000000000000001, wrong stream", // data of the session
        "000100000000000000000001, wrong stream",
        "000200010000000100000001, wrong stream", // a ping of a stream
        "000300000000000100000000, wrong stream",
    })
    void whatIsNotSpecifiedIsRefused(String hex, String why) {
        assertThatThrownBy(() -> YamuxFrame.read(Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex))))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining(why);
    }

    @Test
    void aStreamOfAClientIsOddAndChosenAtRandom() {
        assertThat(java.util.stream.Stream.generate(YamuxStream::number).limit(100))
                .allMatch(number -> number > 0 && number % 2 == 1)
                .doesNotHaveDuplicates();
    }
}
