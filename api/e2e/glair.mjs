// Asks with GLAIR's own client and prints what it makes of each answer.
// node glair.mjs BASE-URL USER:PASSWORD:KEY IMAGE [USER:PASSWORD:KEY IMAGE]...
import { Vision } from "@glair/vision";

const [baseUrl, ...rest] = process.argv.slice(2);
while (rest.length > 0) {
  const [credentials, image] = rest.splice(0, 2);
  const [username, password, apiKey] = credentials.split(":");
  const vision = new Vision({ baseUrl, username, password, apiKey });
  try {
    console.log("resolved", JSON.stringify(await vision.faceBio.passiveLiveness({ image })));
  } catch (refused) {
    // The client rejects with the parsed body; anything else is a fault here.
    if (refused instanceof Error) throw refused;
    console.log("rejected", JSON.stringify(refused));
  }
}
