package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import java.io.IOException;
import java.util.List;

/** Virtual functions of one controller, each of which one client has at a time. */
interface FunctionPool {
    /** What they are. */
    FunctionLeases.Offer offer();

    /** How many there are. */
    int total();

    /**
     * Has one working, with its resources.
     *
     * @param index from 0 on
     * @throws IOException if somebody still has it, or the controller or the kernel refuses
     */
    Given give(int index) throws IOException;

    /**
     * Takes the functions away.
     *
     * @throws IOException if a client still has one: they stay
     */
    void end() throws IOException;

    /** A function that works, for one client. */
    interface Given {
        /** Its bus address. */
        String address();

        /** The number of its address space, in the second of its files. */
        int spaceId();

        /** What the client gets descriptors of: the VFIO device, then the iommufd that it is in. */
        List<OpenFile> files();

        /**
         * Stops it, whatever its client does with the descriptors that he may still have, and closes it.
         *
         * @throws IOException if it could not be stopped; it is closed all the same
         */
        void takeBack() throws IOException;
    }
}
