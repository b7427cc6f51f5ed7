// `npm start`: sets the machine up and runs the demo, with the flags given after `--`.
import { launch } from "../bin/launch.mjs";
import { setup } from "./setup.mjs";

if (setup("start").length > 0) process.exit(1);
await launch(["demo"]);
