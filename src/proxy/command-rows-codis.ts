// Rows of the command table: what codis-server adds to Redis, and the proxy's own SLOTS commands.
// Servers without the codis patch do not know those that are forwarded and say so themselves.
// How to read a row is explained in command-rows.ts.
import type { RowTable } from "./command-rows.ts";

export const CODIS_ROWS: RowTable = {
  group: "codis",
  acl: "",
  text: `
slotshashkey  -2  rF  1 RO        forward  3.2.0  Slot of a key; codis-server only
slotsinfo      2  r   -           local    3.2.0  Keys per slot on one server, given by its address
slotsmapping  -1  r   -           local    3.2.0  Which server serves a slot, or every slot
slotsrestore  -4  wm  1:-1:3 OWu  forward  3.2.0  Write values that DUMP gave; codis-server only
slotsscan     -3  rP  -           local    3.2.0  Walk over the keys of a slot, a few per call

slotscheck  1  r  -  no:all   3.2.0  Check the slot index of a server
slotsdel   -2  w  -  no:move  3.2.0  Delete all keys of slots

slotsmgrtone                 5  w    -  no:move  3.2.0  Move a key
slotsmgrtslot                5  w    -  no:move  3.2.0  Move a key of a slot
slotsmgrttagone              5  w    -  no:move  3.2.0  Move a key and those with its tag
slotsmgrttagslot             5  w    -  no:move  3.2.0  Move a key of a slot and those with its tag
slotsmgrtone-async          -7  ws   -  no:move  3.2.0  Move keys in the background
slotsmgrtslot-async          8  ws   -  no:move  3.2.0  Move keys of a slot in the background
slotsmgrttagone-async       -7  ws   -  no:move  3.2.0  Move keys with their tags
slotsmgrttagslot-async       8  ws   -  no:move  3.2.0  Move keys of a slot with their tags
slotsmgrtone-async-dump     -4  rs   -  no:move  3.2.0  What a move would send
slotsmgrttagone-async-dump  -4  rs   -  no:move  3.2.0  What a move with tags would send
slotsmgrt-async-cancel       1  s    -  no:move  3.2.0  Stop moving
slotsmgrt-async-fence        1  rs   -  no:move  3.2.0  Wait for the keys that are being moved
slotsmgrt-async-status       1  s    -  no:move  3.2.0  State of the move
slotsmgrt-exec-wrapper      -3  wms  -  no:move  3.2.0  Run a command unless its key is being moved
slotsrestore-async          -2  wms  -  no:move  3.2.0  Receive a part of a moved key
slotsrestore-async-ack       3  ws   -  no:move  3.2.0  Confirm a part of a moved key
slotsrestore-async-auth      2  slt  -  no:move  3.2.0  Log in to the target of a move
slotsrestore-async-select    2  slt  -  no:move  3.2.0  Choose the database of a move
`,
};

/** Not commands: the words with which a web page would begin that was made to talk to Redis. */
export const FOREIGN_ROWS: RowTable = {
  group: "codis",
  acl: "",
  text: `
host:  -1  n  -  no:http  3.2.0  A header of HTTP; the connection is closed
post   -1  n  -  no:http  3.2.0  A request of HTTP; the connection is closed
`,
};
