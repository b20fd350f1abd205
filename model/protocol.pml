/*
 * The delivery protocol (docs/protocol.md) as a Promela model: attach, place, chain. README.md says what it finds.
 *
 * owm      One outbox with N tasks, two a run, B a batch. `seq` is 1..N. Up to W requests are under way.
 * sink     A stream and, beside it, a fence for each outbox id, and the mark: the sink's id, the stream's generation and
 *          entries-added, and each fence's position once more. A request is one atomic step. `replica` is what a
 *          failover leaves: an earlier state, at first none.
 * network  A connection is first in, first out. When it dies, requests are lost or arrive late, replies are lost.
 *
 * A process of owm goes this way, and may die between any two steps:
 *
 *   DOWN -> RAISE -> ATTACHING -> (SEARCHING) -> ATTACHED -> PLACING -> RUN -> CLOSING -> EXIT
 *           epoch    asked         newest of     compared    fence      adds   receipt    0
 *             ^         |          its tasks     and stored    |         |        |
 *             +---------+-----------------------------------------+------+--------+   "changed", or the connection died
 */

/* --- sizes --- */
#ifndef N
#define N 4            /* tasks */
#endif
#ifndef B
#define B 1            /* tasks a batch: 1 or 2 */
#endif
#ifndef W
#define W 2            /* requests under way */
#endif
#ifndef KEEP
#define KEEP 9         /* the newest tasks that stay in the history */
#endif
#ifndef STARTS
#define STARTS 3       /* starts after an end of its own; those after a crash come on top */
#endif
#define IDS 3          /* outbox ids: the first one's and those of copies */

/* --- faults: how often each may happen --- */
#ifndef CRASHES
#define CRASHES 1      /* SIGKILL of owm */
#endif
#ifndef DROPS
#define DROPS 1        /* a connection dies */
#endif
#ifndef FAILOVERS
#define FAILOVERS 1    /* the sink is what the replica was when it last caught up, which it does as often */
#endif
#ifndef DELSTREAMS
#define DELSTREAMS 0   /* somebody deletes the stream, but not what stands beside it */
#endif
#ifndef DELFENCES
#define DELFENCES 0    /* somebody deletes the fence alone */
#endif
#ifndef DELMARKS
#define DELMARKS 0     /* somebody deletes the mark alone */
#endif
#ifndef FLUSHES
#define FLUSHES 0      /* somebody deletes everything */
#endif
#ifndef OTHERS
#define OTHERS 0       /* another outbox adds an entry */
#endif
#ifndef TRIMS
#define TRIMS 0        /* readers take all entries away */
#endif
#ifndef PARTIALS
#define PARTIALS 0     /* the sink fails in the midst of a batch */
#endif
#ifndef REFUSED
#define REFUSED 0      /* 1: the sink refuses one of the tasks for good */
#endif
#ifndef RESTORES
#define RESTORES 0     /* a copy takes the file's place; task 3, if it is read anew, is for another place then */
#endif
#ifdef LIVECOPY        /* the copy may be made while a process runs; owm keeps account of its words */
#define COPYAT true
#else
#define COPYAT (pc == DOWN)
#endif

#ifdef TELL
#define T(x) printf x
#else
#define T(x) skip
#endif

/* where the process stands */
#define DOWN 0
#define RAISE 1
#define ATTACHING 2
#define SEARCHING 3    /* no fence of its own: which of its tasks are in the stream? */
#define ATTACHED 4
#define PLACING 5
#define RUN 6
#define CLOSING 7
#define EXIT 8
#define STOPPED 9      /* 75: another owm has taken over */

/* requests, each with id, epoch and word */
#define ATTACH 1       /* a: the id that this file had before, or 0 */
#define SEARCH 2       /* a: the seq behind which tasks in a row are looked for */
#define PLACE 3        /* a: seq, b: a task that must still be there, or 0; c: generation, d: run */
#define ADD 4          /* a: seq before, b: first seq, c: last seq, d: run, z: task 3 is for the other place */
#define RECEIPT 5      /* a: seq */

/* answers, each with the generation and the sink's id */
#define OK 1           /* a: last seq */
#define CHANGED 2      /* compare again */
#define SUPERSEDED 3   /* another process has attached; to attach, c: there is a fence */
#define REFUSE 4       /* a: the seq that will never be taken */
#define FAILED 5       /* not now */
#define FENCE 6        /* to attach. a: seq, b: run, c: word of the place */
#define VOID 7         /* to attach: a fence of another generation */
#define BEFORE 8       /* to attach: no fence, but one of the id before. a: its seq */
#define NONE 9         /* to attach: neither */
#define FOUND 10       /* to search. a: newest of its tasks there, b: the last of those in a row */
#define CREATED 4      /* added to the sink's id: it had none until now */

#define RUNOF(seq) (((seq) + 1) / 2)
/* The place on earth that a task of the file is for. */
#define PLACEOF(seq) ((seq) == 3 && file.other -> N + 1 : (seq))

typedef Sink {
  byte there[N + 2];                     /* how often a place is in the stream; entries that were read count, too */
  byte trimmed;                          /* readers took away the entries up to this task */
  bool exists; byte added;               /* the stream: there; entries-added */
  byte named, gen, kept;                 /* mark: the sink's id (1: ours, 2: another outbox's), generation, entries-added */
  bool inMark[IDS + 1];                  /* mark: it has the position, too */
  byte epoch[IDS + 1], word[IDS + 1];    /* fence: who attached last */
  bool inFence[IDS + 1];                 /* fence: it has the position */
  byte seq[IDS + 1], rid[IDS + 1];       /* position: the last task, its run */
  byte under[IDS + 1], by[IDS + 1]       /* position: the generation in which and the word under which it was placed */
#if DELMARKS > 0
  ; byte namedAt[IDS + 1], keptAt[IDS + 1]   /* fence: what the mark said when it was last written */
  byte stream, keptOf, keptOfAt[IDS + 1]     /* which stream there is, and of which each entries-added is */
#endif
};
Sink sink, replica;

typedef File {
  byte last, acked, low;                 /* last seq; acknowledged up to; history removed up to */
  byte id, before; byte epoch; short known;   /* id; as a copy, the one before; epoch; words so far, as bits */
  byte knows;                            /* the sink's ids so far, as bits; 0: it was never met */
  byte runid[3]; bool done[3];
  bool dead[N + 1], told[N + 1];         /* refused; named as lost */
  bool other                             /* task 3 is for another place than in the original */
#ifdef LIVECOPY
  ; byte lastAt[16]                      /* last seq when a word was raised */
#endif
};
File file, copy;
bool haveCopy, restored;

/* memory of the process: how far the sink has it, next to send, under way; one wasn't added; the sink disagrees */
byte pc, h, next, flying, target, word; bool asked, gap, disagree, cleaned;
/* what attach answered: where the search begins, generation; and what the search found last */
byte metAt, metGen, metId, seen;

chan cur = [W] of { byte, byte, byte, byte, byte, byte, byte, byte, bool };   /* request, id, epoch, word, a to d, z */
chan late = [4] of { byte, byte, byte, byte, byte, byte, byte, byte, bool };
chan rep = [W] of { byte, byte, byte, byte, byte, byte };                     /* answer, a, b, c, generation, id */

byte crashes = CRASHES, drops = DROPS, failovers = FAILOVERS, snaps = FAILOVERS, delstreams = DELSTREAMS;
byte delfences = DELFENCES, delmarks = DELMARKS, flushes = FLUSHES, others = OTHERS, trims = TRIMS, partials = PARTIALS, restores = RESTORES;
byte starts = STARTS, words, gens, ids = 1, bad;
bool lossSinceAttach, lossSinceReceipt, final, mayRepeat;

#ifdef TRACE           /* the shortest trace is searched breadth first, which wants no hidden variables */
#define SCRATCH
#else
#define SCRATCH hidden
#endif
SCRATCH byte k, o, e, w, a, b, c, d, z, i, x, y, g;

inline copyFile(to, from) {
  to.last = from.last; to.acked = from.acked; to.low = from.low; to.id = from.id; to.before = from.before;
  to.epoch = from.epoch; to.known = from.known; to.knows = from.knows; to.other = from.other;
  i = 0; do :: i < 3 -> to.runid[i] = from.runid[i]; to.done[i] = from.done[i]; i++ :: else -> break od;
  i = 0; do :: i <= N -> to.dead[i] = from.dead[i]; to.told[i] = from.told[i]; i++ :: else -> break od
#ifdef LIVECOPY
  ; i = 0; do :: i < 16 -> to.lastAt[i] = from.lastAt[i]; i++ :: else -> break od
#endif
}
inline copySink(to, from) {
  to.named = from.named; to.trimmed = from.trimmed; to.exists = from.exists; to.added = from.added;
  to.kept = from.kept; to.gen = from.gen;
#if DELMARKS > 0
  to.stream = from.stream; to.keptOf = from.keptOf;
#endif
  i = 0; do :: i <= N + 1 -> to.there[i] = from.there[i]; i++ :: else -> break od;
  i = 0;
  do
  :: i <= IDS ->
     to.epoch[i] = from.epoch[i]; to.word[i] = from.word[i]; to.seq[i] = from.seq[i]; to.rid[i] = from.rid[i];
     to.under[i] = from.under[i]; to.by[i] = from.by[i];
#if DELMARKS > 0
     to.namedAt[i] = from.namedAt[i]; to.keptAt[i] = from.keptAt[i]; to.keptOfAt[i] = from.keptOfAt[i];
#endif
     to.inFence[i] = from.inFence[i]; to.inMark[i] = from.inMark[i]; i++
  :: else -> break
  od
}

/* ---------- the sink ---------- */

#ifdef COUNTEDGEN      /* a counter, which gives the same number again after a failover */
#define newGeneration() sink.gen++
#else
#define newGeneration() gens++; sink.gen = gens
#endif
#if DELMARKS > 0       /* the last entry's id is kept as well: where all entries are younger, the stream is another one */
#ifdef NOYOUNGER
#define ISYOUNGER false
#else
#define ISYOUNGER (sink.keptOf != sink.stream && sink.trimmed == 0)
#endif
#define keepAdded() sink.kept = sink.added; sink.keptOf = sink.stream
#else
#define ISYOUNGER false
#define keepAdded() sink.kept = sink.added
#endif
/* Whoever finds no stream, or a younger one than is kept, begins a generation: fences of older ones are void. */
inline look() {
#ifdef NOGEN
  sink.gen = 1; sink.kept = 0
#else
  if
  :: sink.gen == 0 || (sink.kept > 0 && (!sink.exists || sink.added < sink.kept || ISYOUNGER)) -> newGeneration(); sink.kept = 0
  :: else
  fi;
#ifndef KEPTBYADD
  if :: sink.exists -> keepAdded() :: else fi
#endif
#endif
}
#ifdef UNPLACED
#define PLACED (sink.inFence[o] && sink.under[o] == sink.gen)
#else
#define PLACED (sink.inFence[o] && sink.under[o] == sink.gen && sink.by[o] == w)   /* by the process that asks */
#endif
#ifdef NOEPOCH
#define ISABOVE false
#define ISBELOW false
#else
#define ISABOVE (sink.epoch[o] > e || (sink.epoch[o] == e && sink.word[o] != w))   /* attached later, or not we */
#define ISBELOW (sink.epoch[o] < e)
#endif
#ifdef NOATTACHCHECK
#define ISSTALE false
#else
#define ISSTALE ISABOVE
#endif

inline answer(live, A, X, Y, Z) { if :: live -> rep!A, X, Y, Z, sink.gen, sink.named :: else fi }

/* Task X of the file can be found: it is in its history, and readers haven't taken its entry away. */
#define ISFOUND(X) ((X) > file.low && (X) > sink.trimmed && (X) <= file.last && sink.there[PLACEOF(X)] > 0)
/* live: the connection that the process waits on. Otherwise nobody hears the answer. */
inline receive(live) {
  if
  :: k != SEARCH ->
#if DELMARKS > 0 && !defined(NORESTORE)
     restoreMark();
#endif
     look()
  :: else                                /* a mere reader */
  fi;
  if
  :: k == SEARCH -> newest(); inARow(a); answer(live, FOUND, x, y, 0)
  :: k == ATTACH -> attach(live)
  :: k != ATTACH && k != SEARCH && ISABOVE -> answer(live, SUPERSEDED, 0, 0, 0)
  :: k != ATTACH && k != SEARCH && ISBELOW -> answer(live, CHANGED, 0, 0, 0)
  :: k == PLACE && !ISABOVE && !ISBELOW -> place(live)
  :: k == ADD && !ISABOVE && !ISBELOW -> add(live)
  :: k == RECEIPT && !ISABOVE && !ISBELOW -> receipt(live)
  fi
}
inline standing(X) {                     /* a fence that was deleted gets its position again from the mark */
  if :: !sink.inFence[X] && sink.inMark[X] -> sink.inFence[X] = true :: else fi
}
#if DELMARKS > 0
/* A mark that is gone alone gets back what the fence knows of it; whether the stream is still the same, look() sees. */
inline restoreMark() {
  if
  :: sink.named == 0 && sink.inFence[o] && sink.namedAt[o] > 0 ->
     sink.named = sink.namedAt[o];
     if :: sink.gen == 0 -> sink.gen = sink.under[o] :: else fi;
     if :: sink.kept == 0 -> sink.kept = sink.keptAt[o]; sink.keptOf = sink.keptOfAt[o] :: else fi
  :: else
  fi
}
#endif
inline stand(S, R, BY, G) {
  sink.seq[o] = S; sink.rid[o] = R; sink.by[o] = BY; sink.under[o] = G; sink.inFence[o] = true;
#if DELMARKS > 0
  sink.namedAt[o] = sink.named; if :: sink.kept > 0 -> sink.keptAt[o] = sink.kept; sink.keptOfAt[o] = sink.keptOf :: else fi;
#endif
#ifndef NOSECOND
  sink.inMark[o] = true
#endif
}
inline attach(live) {                    /* writes who attached, never a position */
  x = 0; if :: sink.named == 0 -> sink.named = 1; x = CREATED :: else fi;
  standing(o); if :: a != 0 -> standing(a) :: else fi;
  if
  :: ISSTALE -> y = sink.inFence[o]; reply(live, SUPERSEDED, 0, 0, y)
  :: else ->
     if
     :: sink.inFence[o] && sink.under[o] == sink.gen -> reply(live, FENCE, sink.seq[o], sink.rid[o], sink.by[o])
     :: sink.inFence[o] && sink.under[o] != sink.gen -> reply(live, VOID, 0, 0, 0)
     :: !sink.inFence[o] && a != 0 && sink.inFence[a] && sink.under[a] == sink.gen ->
        reply(live, BEFORE, sink.seq[a], 0, 0)
     :: else -> reply(live, NONE, 0, 0, 0)
     fi;
#ifdef SEEDED
     stand(b, d, w, sink.gen);
#endif
     sink.epoch[o] = e; sink.word[o] = w;
#ifdef ONEWORD
     sink.by[o] = w;
#endif
     if :: live -> lossSinceAttach = false :: else fi
  fi
}
inline reply(live, A, X, Y, Z) { if :: live -> rep!A, X, Y, Z, sink.gen, (sink.named + x) :: else fi }
inline place(live) {
  if
#ifndef PLACEBLIND
  :: c != sink.gen -> answer(live, CHANGED, 0, 0, 0)
#endif
#ifndef NOWITNESS
  :: b != 0 && !ISFOUND(b) -> answer(live, CHANGED, 0, 0, 0)
#endif
  :: else ->
     stand(a, d, w, sink.gen);
     T(("* sink places the fence of id %d at %d\n", o, a)); answer(live, OK, 0, 0, 0)
  fi
}
inline add(live) {
  if
#ifdef NOFENCE
  :: true -> y = b; put(c); answer(live, OK, c, 0, 0)
#else
  :: !PLACED -> answer(live, CHANGED, 0, 0, 0)
#ifdef NOCHAIN
  :: PLACED && sink.seq[o] < b -> addFrom(b, live)
#else
  :: PLACED && sink.seq[o] == a -> addFrom(b, live)
#endif
  :: PLACED && sink.seq[o] >= c -> answer(live, OK, c, 0, 0)                           /* there already */
  :: PLACED && sink.seq[o] >= b && sink.seq[o] < c -> addFrom(sink.seq[o] + 1, live)   /* the rest */
  :: else -> answer(live, CHANGED, 0, 0, 0)
#endif
  fi
}
inline addFrom(X, live) {
  y = X;
  if
  :: bad >= y && bad <= c -> answer(live, REFUSE, bad, 0, 0)
  :: !(bad >= y && bad <= c) && partials > 0 && y < c ->
     partials--; put(c - 1); stand((c - 1), d, sink.by[o], sink.under[o]); answer(live, FAILED, 0, 0, 0)
  :: !(bad >= y && bad <= c) -> put(c); stand(c, d, sink.by[o], sink.under[o]); answer(live, OK, c, 0, 0)
  fi
}
inline put(X) {                          /* the tasks from y to X */
  do
  :: y <= X ->
     x = (y == 3 && z -> N + 1 : y); T(("* sink adds task %d for place %d (id %d)\n", y, x, o));
     assert(sink.there[x] == 0 || mayRepeat);   /* TWICE: only a restored copy, and it is said */
     xadd(); if :: sink.there[x] < 2 -> sink.there[x]++ :: else fi; y++
  :: else -> break
  od
}
inline xadd() { sink.exists = true; sink.added++; keepAdded() }
inline receipt(live) {
  if
  :: PLACED && sink.seq[o] >= a ->
     T(("* sink writes the receipt up to %d\n", a)); answer(live, OK, a, 0, 0);
     if :: live -> lossSinceReceipt = false :: else fi
  :: else -> answer(live, CHANGED, 0, 0, 0)
  fi
}
inline inARow(X) {                       /* y: from X on, the last of the tasks that are all found, or refused */
  y = X;
  do
  :: y < file.last && (ISFOUND(y + 1) || file.dead[y + 1]) -> y++
  :: else -> break
  od
}
inline newest() {                        /* x: the newest task of the history that is found, or 0 */
  x = 0; i = 1;
  do :: i <= N -> if :: ISFOUND(i) -> x = i :: else fi; i++ :: else -> break od
}

/* ---------- the network ---------- */

inline cut() {                           /* the connection dies; some of what is under way still arrives */
  do
  :: cur?k,o,e,w,a,b,c,d,z -> if :: nfull(late) -> late!k,o,e,w,a,b,c,d,z :: break fi
  :: empty(cur) -> break
  od;
  lose()
}
inline lose() {
  do :: cur?_,_,_,_,_,_,_,_,_ :: empty(cur) -> break od;
  do :: rep?_,_,_,_,_,_ :: empty(rep) -> break od;
  flying = 0; gap = false; disagree = false; next = h + 1
}
inline reconnect() {                     /* what is unanswered goes again; attach and place under a new epoch */
  if
  :: pc == ATTACHING || pc == SEARCHING -> pc = RAISE
#ifdef PLACEAGAIN
  :: pc == PLACING -> pc = ATTACHED
#else
  :: pc == PLACING -> pc = RAISE
#endif
  :: pc == CLOSING -> pc = RUN
  :: else
  fi
}

/* ---------- owm ---------- */

inline forgetAnswer() { metAt = 0; metGen = 0; metId = 0; seen = 0 }
inline newMemory() {
  h = 0; next = 0; flying = 0; target = 0; word = 0; forgetAnswer(); gap = false; disagree = false; cleaned = false; asked = false
}
/* Back over what the sink has lost, as far as the history reaches; or forward over what it has already. */
inline goOnBehind(X) {
  y = X;
  do :: y < file.last && file.dead[y + 1] -> y++ :: else -> break od;   /* refused ones are not in the stream */
  if
  :: y < h ->
     i = y + 1; do :: i <= file.low -> file.told[i] = true; i++ :: else -> break od;
     if :: y < file.low -> y = file.low :: else fi;
     i = y + 1; do :: i <= h -> file.done[RUNOF(i)] = false; i++ :: else -> break od
  :: else -> if :: y > file.last -> y = file.last :: else fi
  fi;
  h = y; T(("* compared: goes on behind %d\n", h))
}
/* The fence's task is in this file's history, or older than that. */
#define AGREES(S, R) ((S) <= file.last && ((S) <= file.low || file.runid[RUNOF(S)] == (R)))
#ifdef NOWORD
#define ISKNOWN(W) true
#else
#define ISKNOWN(W) ((file.known >> (W)) & 1)
#endif
inline becomeCopy(X) {
  assert(restored);                      /* NO COPY */
  file.before = X; ids++; assert(ids <= IDS); file.id = ids; pc = RAISE;
  T(("* a copy: goes on under id %d\n", ids))
}
#define ISGONE (file.knows != 0 && (g > 2 || !((file.knows >> g) & 1)))   /* g: the sink's id */
inline compare() {                       /* the answer to attach: k, a, b, c, e: generation, g: the sink's id */
  metGen = e; metId = g % CREATED;
  if
#ifdef NOCOMPARE
  :: true -> store()
#else
  :: k == SUPERSEDED ->
     y = file.id; if :: !c && file.before != 0 -> y = file.before :: else fi;
     becomeCopy(y)
  :: k == FENCE && !ISGONE ->
     y = file.last;
#if defined(LIVECOPY) && !defined(NOLEDGER)   /* what went out under a word was stored before the next one was raised */
     i = c + 1; do :: !((file.known >> i) & 1) -> i++ :: else -> break od;
     y = file.lastAt[i];
#endif
     if
     :: !ISKNOWN(c) || !AGREES(a, b) || a > y -> becomeCopy(file.id)
     :: else -> goOnBehind(a); store()
     fi
  :: k == BEFORE ->                      /* what the original delivered since may be for other places */
#ifdef COPYFORWARD
     goOnBehind(a); store()
#else
     y = a; if :: h < y -> y = h :: else fi;
     search(y)
#endif
  :: k != SUPERSEDED && k != BEFORE && (k != FENCE || ISGONE) ->
#ifdef COPYBLIND
     if :: file.before != 0 -> store() :: else -> search(0) fi
#else
     search(0)
#endif
#endif
  fi
}
inline search(X) { metAt = X; asked = false; pc = SEARCHING }
inline decide() {                        /* the answer to search: k, a, b */
#ifdef CURSORRULE
  if :: a > h -> goOnBehind(a) :: else fi;
#else
  goOnBehind(b);                         /* over what is there, one by one */
#endif
  if :: b > metAt -> seen = a :: else fi;
  store()
}
/* One transaction of the file: where it goes on, and which sink it was. */
inline store() { file.acked = h; file.knows = file.knows | (1 << metId); next = h + 1; pc = ATTACHED }
inline pass() { do :: h < file.last && file.dead[h + 1] -> h++ :: else -> break od }   /* over refused ones */
inline predecessor(X) {                  /* y: the newest task before X that wasn't refused */
  y = X - 1; do :: y > 0 && file.dead[y] -> y-- :: else -> break od
}
inline delStream() {
#if DELMARKS > 0
  sink.stream++;
#endif
  sink.exists = false; sink.added = 0; sink.trimmed = 0; lossSinceAttach = true; lossSinceReceipt = true;
  i = 0; do :: i <= N + 1 -> sink.there[i] = 0; i++ :: else -> break od
}
inline delFence(X) { sink.epoch[X] = 0; sink.word[X] = 0; sink.inFence[X] = false; voidPosition(X) }
inline delMark() {
  sink.named = 0; sink.gen = 0; sink.kept = 0;
  i = 1; do :: i <= IDS -> sink.inMark[i] = false; voidPosition(i); i++ :: else -> break od
}
inline voidPosition(X) {
  if
  :: !sink.inFence[X] && !sink.inMark[X] -> sink.seq[X] = 0; sink.rid[X] = 0; sink.under[X] = 0; sink.by[X] = 0;
#if DELMARKS > 0
     sink.namedAt[X] = 0; sink.keptAt[X] = 0; sink.keptOfAt[X] = 0
#endif
  :: else
  fi
}
inline retention() {                     /* of finished runs, and of what the sink was found to have */
  x = file.last - KEEP;
  if :: x > file.acked -> x = file.acked :: else fi;
  if :: !file.done[1] -> x = 0 :: file.done[1] && !file.done[2] && x > 2 -> x = 2 :: else fi;
  i = file.low + 1;
  do
  :: i <= x ->
     /* REMOVED */
     assert(sink.there[PLACEOF(i)] > 0 || file.dead[i] || file.told[i] || (pc == RUN && lossSinceAttach)); i++
  :: else -> break
  od;
  if :: x > file.low -> file.low = x; T(("* the history up to %d is removed\n", x)) :: else fi
}
inline end() {                           /* exit 0 */
  file.acked = h; file.done[1] = h >= 2; file.done[2] = h >= N; pc = EXIT; final = (target == N);
  T(("* exit 0 behind %d\n", h));
  i = 1;
  do
  :: i <= file.last ->
     /* LOST without a word */
     assert(sink.there[PLACEOF(i)] > 0 || file.dead[i] || file.told[i] || lossSinceReceipt); i++
  :: else -> break
  od
}
#define NOFAULTLEFT (failovers + delstreams + delfences + delmarks + flushes + restores == 0)
#ifdef LIVECOPY
#define READS (pc > RAISE && pc < EXIT)  /* its epoch is raised before it stores anything */
#else
#define READS (pc > DOWN && pc < EXIT)
#endif

active proctype system() {
  atomic { file.id = 1; copy.id = 1; if :: REFUSED -> if :: bad = 1 :: bad = 2 :: bad = 3 fi :: else fi }
  do
  /* --- a process starts, for the first run alone or for both --- */
  :: atomic { pc == DOWN ->
       newMemory(); h = file.acked; next = h + 1; T(("* start: acknowledged %d of %d\n", h, file.last));
       if
       :: file.last > 2 || file.runid[2] != 0 || file.done[1] -> target = N
       :: else -> if :: target = 2 :: target = N fi
       fi;
#ifdef RETENTIONFIRST
       if :: file.last > KEEP -> retention() :: else fi;
#endif
       pc = RAISE }
  /* --- the reader: a run's row, then task after task --- */
  :: atomic { READS && file.last < target ->
       x = RUNOF(file.last + 1);
       if
       :: file.runid[x] == 0 -> file.runid[x] = (restored -> x + 2 : x)
       :: else ->
          file.last++; if :: file.last == 3 -> file.other = restored :: else fi; T(("* stored %d\n", file.last));
          if :: pc >= ATTACHED -> file.acked = h :: else fi
       fi }
  /* --- attach, compare and store, place --- */
  :: atomic { pc == RAISE ->
       words++; assert(words < 15); word = words; file.epoch++; file.known = file.known | (1 << word);
#ifdef LIVECOPY
       file.lastAt[word] = file.last;
#endif
       flying = 0; gap = false; disagree = false; asked = false; forgetAnswer(); pc = ATTACHING;
       T(("* raised: epoch %d, word %d\n", file.epoch, word)) }
  :: atomic { pc == ATTACHING && !asked && nfull(cur) ->
       asked = true;
#ifdef SEEDED
       cur!ATTACH, file.id, file.epoch, word, file.before, h, 0, file.runid[RUNOF(h)], false
#else
#ifdef COPYBLIND
       cur!ATTACH, file.id, file.epoch, word, 0, 0, 0, 0, false
#else
       cur!ATTACH, file.id, file.epoch, word, file.before, 0, 0, 0, false
#endif
#endif
     }
  :: atomic { pc == ATTACHING && nempty(rep) -> rep?k,a,b,c,e,g; compare() }
  :: atomic { pc == SEARCHING && !asked && nfull(cur) ->
       asked = true; cur!SEARCH, file.id, file.epoch, word, metAt, 0, 0, 0, false }
  :: atomic { pc == SEARCHING && nempty(rep) -> rep?k,a,b,c,e,g; decide() }
  :: atomic { pc == ATTACHED && nfull(cur) ->
       predecessor(h + 1); cur!PLACE, file.id, file.epoch, word, y, seen, metGen, file.runid[RUNOF(y)], false;
       pc = PLACING }
  :: atomic { pc == PLACING && nempty(rep) ->
       rep?k,a,b,c,e,g;
       if
       :: k == OK -> file.before = 0; forgetAnswer(); pc = RUN
       :: k == CHANGED -> pc = RAISE
       :: k == SUPERSEDED -> pc = STOPPED
       fi }
  /* --- the relay --- */
  :: atomic { pc == RUN && !gap && !disagree && next <= file.last && file.dead[next] ->
       next++; if :: flying == 0 -> pass() :: else fi }
  :: atomic { pc == RUN && !gap && !disagree && next <= file.last && !file.dead[next] && flying < W && nfull(cur) ->
       predecessor(next); x = next;
#if B > 1
       if :: x < file.last && RUNOF(x + 1) == RUNOF(x) && !file.dead[x + 1] -> x++ :: else fi;
#endif
       cur!ADD, file.id, file.epoch, word, y, next, x, file.runid[RUNOF(x)], file.other;
       T(("* sends %d to %d behind %d\n", next, x, y));
#ifdef ACKFIRST
       file.acked = x;
#endif
       flying++; next = x + 1 }
  :: atomic { pc == RUN && flying > 0 && nempty(rep) ->
       rep?k,a,b,c,e,g; flying--;
       if
       :: k == OK -> h = a; pass()
       :: k == REFUSE -> file.dead[a] = true; h = a; pass(); file.acked = h; gap = true; T(("* refused: %d\n", a))
       :: k == FAILED -> gap = true
       :: k == CHANGED -> if :: gap :: else -> disagree = true fi   /* behind one that wasn't added it says nothing */
       :: k == SUPERSEDED -> pc = STOPPED
       fi }
  :: atomic { pc == RUN && gap && flying == 0 -> gap = false; next = h + 1 }
  :: atomic { pc == RUN && disagree && flying == 0 -> pc = RAISE }
  :: atomic { pc == RUN && file.acked != h -> file.acked = h }      /* lazily */
  :: atomic { pc == RUN && !cleaned && file.last > KEEP -> cleaned = true; retention() }
  /* --- the receipt, then the end --- */
  :: atomic { pc == RUN && file.last == target && h == file.last && flying == 0 && !gap && !disagree && nfull(cur) ->
       predecessor(h + 1); cur!RECEIPT, file.id, file.epoch, word, y, 0, 0, 0, false; pc = CLOSING }
  :: atomic { pc == CLOSING && nempty(rep) ->
       rep?k,a,b,c,e,g;
       if :: k == OK -> end() :: k == CHANGED -> pc = RAISE :: k == SUPERSEDED -> pc = STOPPED fi }
  :: atomic { pc == STOPPED -> assert(restored); lose(); pc = EXIT }   /* TAKEN OVER: only a copy can be */
  :: atomic { pc == EXIT && !(final && NOFAULTLEFT) && starts > 0 -> starts--; final = false; newMemory(); pc = DOWN }
  /* --- the sink --- */
  :: atomic { nempty(cur) && nfull(rep) -> cur?k,o,e,w,a,b,c,d,z; receive(true) }
  :: atomic { nempty(late) -> late?k,o,e,w,a,b,c,d,z; T(("* late:\n")); receive(false) }
  /* --- faults --- */
  :: atomic { crashes > 0 && pc > DOWN && pc < EXIT -> crashes--; T(("* CRASH\n")); cut(); newMemory(); pc = DOWN }
  :: atomic { drops > 0 && (nempty(cur) || nempty(rep)) -> drops--; T(("* DROP\n")); cut(); reconnect() }
  :: atomic { snaps > 0 -> snaps--; T(("* the replica catches up\n")); copySink(replica, sink) }
  :: atomic { failovers > 0 ->
       failovers--; T(("* FAILOVER\n")); copySink(sink, replica); lossSinceAttach = true; lossSinceReceipt = true;
       do :: late?_,_,_,_,_,_,_,_,_ :: empty(late) -> break od;
       lose(); reconnect() }
  :: atomic { delstreams > 0 && sink.exists -> delstreams--; T(("* DEL stream\n")); delStream() }
  :: atomic { delfences > 0 && sink.epoch[file.id] > 0 ->
       delfences--; T(("* DEL fence\n")); delFence(file.id) }
  :: atomic { delmarks > 0 && sink.named > 0 -> delmarks--; T(("* DEL mark\n")); delMark() }
  :: atomic { flushes > 0 && sink.named > 0 ->
       flushes--; T(("* FLUSHALL\n")); delStream(); delFence(1); delFence(2); delFence(3); delMark() }
  :: atomic { others > 0 ->
       others--; T(("* another outbox adds an entry\n"));
       look(); if :: sink.named == 0 -> sink.named = 2 :: else fi; xadd() }
  :: atomic { trims > 0 && sink.exists ->
       trims--; T(("* readers take all entries away\n")); newest(); if :: x > 0 -> sink.trimmed = x :: else fi }
  :: atomic { restores > 0 && !haveCopy && COPYAT && file.last > 0 ->
       haveCopy = true; T(("* COPY\n")); copyFile(copy, file) }
  :: atomic { restores > 0 && haveCopy && pc == DOWN ->
       restores--; restored = true; mayRepeat = true; T(("* RESTORE\n")); copyFile(file, copy) }
  :: pc == EXIT && ((final && NOFAULTLEFT) || starts == 0) -> break
  od
}
