// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.NotFoundException;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.SandboxPlace;
import io.virtcontainers.core.state.SandboxRecord;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The record of one sandbox, in memory and on disk, and the events of its changes. Of a scoped sandbox this process is the
 * only writer, so what is in memory counts; of a detached one, what is on disk. Who changes it holds the sandbox's lock;
 * {@link #snapshot} needs none.
 */
final class SandboxLedger {
    private static final Logger log = LoggerFactory.getLogger(SandboxLedger.class);

    private final SandboxPlace place;
    private final boolean scoped;
    private final SandboxEvents events;
    private final Consumer<String> onContainerGone;
    private volatile SandboxRecord record;

    /** What is on disk while the record in memory could not be saved. */
    private volatile @Nullable SandboxRecord unsavedOver;

    /** @param onContainerGone learns which containers are no longer in the record */
    SandboxLedger(
            SandboxPlace place,
            boolean scoped,
            SandboxEvents events,
            Consumer<String> onContainerGone,
            SandboxRecord record) {
        this.place = place;
        this.scoped = scoped;
        this.events = events;
        this.onContainerGone = onContainerGone;
        this.record = record;
    }

    /** As it was read or written last. */
    SandboxRecord record() {
        return record;
    }

    /** The record now, without the lock: whole, perhaps about to change. */
    SandboxRecord snapshot() {
        if (scoped) {
            return record;
        }
        SandboxRecord read = read().orElseThrow(this::gone);
        return read.equals(unsavedOver) ? record : read;
    }

    /** Takes over what another process wrote, and saves what could not be saved. */
    void reload() {
        if (!scoped) {
            SandboxRecord read = read().orElseThrow(this::gone);
            if (!read.equals(unsavedOver)) {
                // Whoever wrote after us knew more; the facts that we could not save show again.
                unsavedOver = null;
                SandboxRecord before = record;
                record = read;
                changed(before, read, "another process");
            }
        }
        if (unsavedOver != null) {
            note(record, "saved late");
        }
    }

    /** What is on disk, unless that is another sandbox, which got the id after this one was deleted. */
    private Optional<SandboxRecord> read() {
        return place.store().read().filter(read -> read.createdAt().equals(record.createdAt()));
    }

    /** Whether a detached sandbox was deleted by another process. */
    boolean isGone() {
        return !scoped && read().isEmpty();
    }

    NotFoundException gone() {
        return new NotFoundException("there is no sandbox " + place.id() + ": it was deleted");
    }

    /** Writes the record; if that fails, nothing has changed. */
    void save(SandboxRecord next, String reason) {
        place.store().write(next);
        SandboxRecord before = record;
        record = next;
        unsavedOver = null;
        changed(before, next, reason);
    }

    /** Takes over facts, which a full disk cannot undo: the record is then saved later. */
    void note(SandboxRecord next, String reason) {
        SandboxRecord before = record;
        record = next;
        try {
            place.store().write(next);
            unsavedOver = null;
        } catch (VirtException e) {
            if (unsavedOver == null) {
                unsavedOver = before;
            }
            log.warn("the state of a sandbox cannot be saved now: sandbox={}", place.id(), e);
        }
        changed(before, next, reason);
    }

    private void changed(SandboxRecord before, SandboxRecord after, String reason) {
        for (ContainerRecord container : after.containers()) {
            State old =
                    before.container(container.id()).map(ContainerRecord::state).orElse(container.state());
            if (old != container.state()) {
                events.publish(new SandboxEvent.StateChanged(
                        place.id(), Optional.of(container.id()), old, container.state(), reason));
            }
        }
        for (ContainerRecord container : before.containers()) {
            if (after.container(container.id()).isEmpty()) {
                onContainerGone.accept(container.id());
            }
        }
        if (before.state() != after.state()) {
            events.publish(
                    new SandboxEvent.StateChanged(place.id(), Optional.empty(), before.state(), after.state(), reason));
        }
    }
}
