// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import io.netty.channel.ChannelPipeline;

/** Makes a socket with a yamux server behind it look as if it were a connection of its own: one new stream. */
public final class Yamux {
    private Yamux() {}

    /** To be called before the socket connects; what is added after this to the pipeline sees only the stream's bytes. */
    public static void addTo(ChannelPipeline pipeline) {
        pipeline.addLast(new YamuxDecoder(), new YamuxStream());
    }
}
