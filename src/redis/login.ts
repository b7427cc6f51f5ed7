// Servers from before Redis 6, codis-server among them, have one password and no users. With a user
// they refuse AUTH by this error and want the password alone; whoever logs in says that instead, so
// that a product with product_username can have them beside newer servers.

export const KNOWS_NO_USERS = /wrong number of arguments for 'auth'/i;
