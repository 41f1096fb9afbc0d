// Tells what a compiler makes of aisio/epoch.cuh: where fields lie, and what its functions give for what it is asked on its
// standard input.
#include <cstddef>
#include <cstdio>
#include <vector>
#include <aisio/epoch.cuh>

using namespace aisio;
using namespace aisio::epoch;

#define SIZE(type) std::printf(#type " %zu\n", sizeof(type))
#define AT(type, field) std::printf(#type "." #field " %zu\n", offsetof(type, field))

static void layout() {
    SIZE(File), AT(File, size), AT(File, firstRun), AT(File, runs);
    SIZE(Run), AT(Run, lba), AT(Run, offset), AT(Run, bytes), AT(Run, firstItem);
    SIZE(Wanted), AT(Wanted, at), AT(Wanted, row), AT(Wanted, firstItem);
    SIZE(Batch), AT(Batch, slot), AT(Batch, files), AT(Batch, items), AT(Batch, sequence);
    SIZE(Failure), AT(Failure, lba), AT(Failure, bytes), AT(Failure, status);
    SIZE(Control), AT(Control, posted), AT(Control, stop), AT(Control, stopped), AT(Control, queue), AT(Control, evidence);
    SIZE(State);
    SIZE(Parameters), AT(Parameters, queues), AT(Parameters, files), AT(Parameters, runs), AT(Parameters, pages);
    AT(Parameters, lists), AT(Parameters, memory), AT(Parameters, control), AT(Parameters, posts), AT(Parameters, wants);
    AT(Parameters, done), AT(Parameters, failures), AT(Parameters, state), AT(Parameters, batches), AT(Parameters, wanted);
    AT(Parameters, left), AT(Parameters, failed), AT(Parameters, marks), AT(Parameters, queueCount), AT(Parameters, slots);
    AT(Parameters, batchFiles), AT(Parameters, ioBytes), AT(Parameters, lbaShift), AT(Parameters, unit);
    AT(Parameters, second), AT(Parameters, retries);
}

// PAGES SECOND: each command of up to 257 pages at each place of such memory. Prints how many lists there were, and how many
// entries were wrong or not in one page.
static void lists(u64 count, u32 second) {
    u64 entries = second + SHIFTED + count;
    std::vector<u64> table((entries + LIST - 1) / LIST * LIST);
    std::vector<u64> places(table.size() / LIST);
    for (u64 i = 0; i < count; i++) {
        table[i] = table[second + SHIFTED + i] = (i * 7 + 3) << PAGE_SHIFT;
    }
    for (u64 i = 0; i < places.size(); i++) {
        places[i] = (i * 11 + 5) << PAGE_SHIFT;
    }
    Parameters p = {};
    p.pages = (u64)table.data();
    p.lists = (u64)places.data();
    p.second = second;
    u64 seen = 0;
    u64 wrong = 0;
    for (u64 page = 0; page < count; page++) {
        for (u32 n = 1; n <= MOST_PAGES && page + n <= count; n++) {
            for (u32 begin = 0; begin < PAGE; begin += 2560) {
                // The last page is used in part, so that the command has just so many.
                u32 bytes = n * PAGE - begin - (begin != 0 || n > 1 ? 512 : 0);
                u64 prp1;
                u64 prp2;
                prpsOf(&p, page * PAGE + begin, bytes, &prp1, &prp2);
                wrong += prp1 != table[page] + begin;
                if (n == 1) {
                    wrong += prp2 != 0;
                } else if (n == 2) {
                    wrong += prp2 != table[page + 1];
                } else {
                    seen++;
                    u64 place = 0;
                    while (place < places.size() && places[place] != (prp2 & ~(u64)(PAGE - 1))) {
                        place++;
                    }
                    u64 first = (prp2 & (PAGE - 1)) / 8;
                    if (place == places.size() || first + n - 1 > LIST) {
                        wrong++;
                        continue;
                    }
                    for (u32 i = 1; i < n; i++) {
                        wrong += table[place * LIST + first + i - 1] != table[page + i];
                    }
                }
            }
        }
    }
    std::printf("lists %llu wrong %llu\n", seen, wrong);
}

// FILES RUNS IOBYTES LBASHIFT UNIT, then files, runs and where each file goes: prints all items of all files.
static void items() {
    unsigned files, runs;
    Parameters p = {};
    if (std::scanf("%u %u %u %u %u", &files, &runs, &p.ioBytes, &p.lbaShift, &p.unit) != 5) {
        return;
    }
    std::vector<File> file(files);
    std::vector<Run> run(runs);
    std::vector<Wanted> wanted(files);
    for (File& one : file) {
        if (std::scanf("%llu %u %u", &one.size, &one.firstRun, &one.runs) != 3) {
            return;
        }
    }
    for (Run& one : run) {
        if (std::scanf("%llu %llu %llu %u", &one.lba, &one.offset, &one.bytes, &one.firstItem) != 4) {
            return;
        }
    }
    unsigned all = 0;
    for (Wanted& one : wanted) {
        if (std::scanf("%llu %u %u %u", &one.at, &one.row, &one.firstItem, &all) != 4) {
            return;
        }
    }
    for (u32 i = 0; i < all; i++) {
        u32 at = wantedOf(wanted.data(), files, i);
        Item item = itemOf(&p, &file[wanted[at].row], run.data(), wanted[at].at, i - wanted[at].firstItem);
        std::printf("item %u %lld %llu %u %u %llu\n", wanted[at].row, (long long)item.lba, item.at, item.bytes, item.tail,
                    item.tail == 0 ? 0 : item.tailAt);
    }
}

int main(int n, char** words) {
    layout();
    if (n > 1) {
        unsigned long long count;
        unsigned second;
        std::sscanf(words[1], "%llu", &count);
        std::sscanf(words[2], "%u", &second);
        lists(count, second);
    }
    items();
}
