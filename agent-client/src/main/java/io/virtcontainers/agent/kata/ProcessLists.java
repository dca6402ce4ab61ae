// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.google.protobuf.ByteString;
import io.virtcontainers.AgentException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Reads the answers to ListProcesses; their size is bounded by {@link AgentConnection#call}. Pure functions. */
final class ProcessLists {
    private static final JsonFactory JSON = new JsonFactory();
    private static final Pattern NOT_IN_A_TABLE = Pattern.compile("[\\p{Cc}\\p{Cf}&&[^\n\t]]");
    private static final int HIGHEST_PID = 1 << 22; // PID_MAX_LIMIT of a 64-bit Linux
    private static final int MOST_PIDS = 100_000;

    private ProcessLists() {}

    /**
     * The answer in the format {@code json}: an array of pids, or {@code null}, as Go writes an empty one.
     *
     * @throws AgentException if it is anything else
     */
    static List<Long> pids(ByteString json) {
        List<Long> pids = new ArrayList<>();
        try (JsonParser parser = JSON.createParser(json.newInput())) {
            JsonToken first = parser.nextToken();
            if (first == JsonToken.START_ARRAY) {
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    pids.add(pid(parser));
                    var unused = GuestData.atMost(MOST_PIDS, pids, "pids");
                }
            } else if (first != JsonToken.VALUE_NULL) {
                throw GuestData.impossible(
                        "list of pids",
                        json.substring(0, Math.min(json.size(), 100)).toStringUtf8());
            }
            if (parser.nextToken() != null) {
                throw GuestData.impossible("list of pids", "more than one array");
            }
        } catch (IOException e) {
            throw new AgentException(
                    "the agent sent a list of pids that is not JSON: "
                            + GuestData.shown(String.valueOf(e.getMessage())),
                    e);
        }
        return List.copyOf(pids);
    }

    private static long pid(JsonParser parser) throws IOException {
        if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
            throw GuestData.impossible("pid", parser.getText());
        }
        int pid = parser.getIntValue();
        if (pid < 1 || pid > HIGHEST_PID) {
            throw GuestData.impossible("pid", parser.getText());
        }
        return pid;
    }

    /** The answer in the format {@code table}; what a terminal could take for a command becomes {@code ?}. */
    static String table(ByteString text) {
        return NOT_IN_A_TABLE.matcher(text.toStringUtf8()).replaceAll("?");
    }
}
